import { endOfArchive, writeEntry } from '../../kernel/tar.ts';

/** One entry of a tar archive; everything belongs to root and dates from 1970, so that the same content gives the same bytes. */
export interface TarEntry {
  /** Without a leading slash; directories without a trailing one. */
  path: string;
  type: 'file' | 'directory' | 'symlink';
  mode: number;
  content?: Buffer;
  /** Target of a symlink. */
  target?: string;
}

const LETTERS = { file: '0', directory: '5', symlink: '2' } as const;

/** An archive of the entries in the order given. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.map(({ path, type, mode, content, target }) =>
    writeEntry({
      name: type === 'directory' ? `${path}/` : path,
      type: LETTERS[type],
      mode,
      ...(content !== undefined && { content }),
      ...(target !== undefined && { link: target }),
    }));
  return Buffer.concat([...parts, endOfArchive()]);
}

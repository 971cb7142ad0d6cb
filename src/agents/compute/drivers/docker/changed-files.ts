/**
 * What a container has changed, as a layer: the folder in which the engine's overlay driver keeps it, read by tar, its whiteouts in the words of
 * image layers. The engine would do the same for a commit, but gives it out only together with all the layers below.
 */
import { createByteReader, endOfArchive, paddingOf, readEntry, TarError, withoutRecords, writeEntry, type ByteReader, type TarEntry } from '../../../../kernel/tar.ts';
import { runConfined, type Confined } from '../../disk/confined.ts';

const OVERLAY = 'SCHILY.xattr.trusted.overlay.';
/** File, hard link, symbolic link, directory, pipe: no guest can make a device. */
const KEPT = '01256';
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

const TAR = [
  '--create', '--file=-', '--format=posix', '--pax-option=delete=atime,delete=ctime', '--sort=name', '--numeric-owner', '--one-file-system', '--xattrs',
  ...['user.*', 'security.capability', 'system.posix_acl_*', 'trusted.overlay.opaque', 'trusted.overlay.redirect', 'trusted.overlay.metacopy'].map((name) => `--xattrs-include=${name}`),
];

/** The mark of an opaque folder can be read by SYS_ADMIN only. */
export function readFolder(folder: string, signal: AbortSignal): Confined {
  const rights = ['setpriv', '--no-new-privs', '--bounding-set=-all,+dac_read_search,+sys_admin', '--inh-caps=-all', '--'];
  return runConfined([...rights, 'tar', ...TAR, '--directory', folder, '.'], { signal });
}

/** @throws TarError for what no layer can say. */
export async function* asLayer(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = createByteReader(source);
  for (;;) {
    const entry = await readEntry(reader);
    if (entry === undefined) break;
    const name = entry.name.replace(/^(\.\/)+/, '').replace(/\/$/, '');
    // Its own root is the image's.
    if (name === '' || name === '.') continue;
    yield* layerEntry(reader, entry, name);
  }
  await reader.drain();
  yield endOfArchive();
}

async function* layerEntry(reader: ByteReader, entry: TarEntry, name: string): AsyncGenerator<Buffer> {
  const at = name.lastIndexOf('/') + 1;
  for (const mark of ['redirect', 'metacopy']) {
    if (entry.pax[OVERLAY + mark] !== undefined) throw new TarError(`the engine keeps ${JSON.stringify(name)} in a way that no layer can say (${mark})`);
  }
  if (isWhiteout(entry)) {
    yield writeEntry({ name: `${name.slice(0, at)}${WHITEOUT}${name.slice(at)}`, mode: 0o600 });
    return;
  }
  const whole = entry.size + paddingOf(entry.size);
  // A file of that name would delete another one where the layer is unpacked.
  if (!KEPT.includes(entry.type) || name.startsWith(WHITEOUT, at)) {
    for await (const _chunk of reader.pass(whole));
    return;
  }
  yield* withoutRecords(entry, (record) => record.startsWith(OVERLAY));
  yield* reader.pass(whole);
  if (entry.type === '5' && entry.pax[`${OVERLAY}opaque`] === 'y') yield writeEntry({ name: `${name}/${OPAQUE}`, mode: 0o600 });
}

/** A character device 0/0. */
function isWhiteout({ type, headers }: TarEntry): boolean {
  const header = headers.at(-1)!;
  const number = (from: number): number => Number.parseInt(header.toString('latin1', from, from + 8).replaceAll('\0', ' ').trim() || '0', 8);
  return type === '3' && number(329) === 0 && number(337) === 0;
}

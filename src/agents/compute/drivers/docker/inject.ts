/** Files that are in the container before its first process: a tar for `PUT /containers/{id}/archive?path=/`. Pure. */
import { badRequest } from '../../../../kernel/fault.ts';
import type { GuestSpec, LoginUser } from '../../protocol.ts';
import { endOfArchive, writeEntry } from '../../../../kernel/tar.ts';

/** @returns undefined when there is nothing to inject. */
export function injectionArchive(spec: Pick<GuestSpec, 'files' | 'ssh_keys' | 'options'>, user: LoginUser, now: Date): Buffer | undefined {
  const mtime = Math.floor(now.getTime() / 1000);
  const parts = spec.files.map((file) =>
    writeEntry({ name: targetOf(file.path), content: Buffer.from(file.content, 'base64'), mode: (file.mode ?? 0o644) & 0o7777, mtime }),
  );
  const keys = spec.ssh_keys.map((key) => key.trim()).filter((key) => key !== '');
  // Nothing can be put into a file system that is only read; whoever has the key comes in by the cloud's own gate.
  if (keys.length > 0 && spec.options?.read_only !== true) {
    const { home, uid, gid } = user;
    const dir = home === '/' ? '.ssh' : `${targetOf(home)}/.ssh`;
    parts.push(
      writeEntry({ name: `${dir}/`, type: '5', mode: 0o700, uid, gid, mtime }),
      writeEntry({ name: `${dir}/authorized_keys`, content: Buffer.from(`${keys.join('\n')}\n`), mode: 0o600, uid, gid, mtime }),
    );
  }
  return parts.length === 0 ? undefined : Buffer.concat([...parts, endOfArchive()]);
}

/** @throws Fault 400 for a path that no file can be put at. */
export function checkFiles(files: readonly { path: string }[]): void {
  for (const { path } of files) targetOf(path);
}

function targetOf(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (!path.startsWith('/') || path.endsWith('/') || parts.length === 0 || parts.includes('..') || path.includes('\0')) {
    throw badRequest('compute.file-path-invalid', `The file ${JSON.stringify(path)} cannot be put into a server: its path must be absolute and without "..".`);
  }
  return parts.join('/');
}

/** An image with busybox and nothing that listens: a shell, its applets, two users. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { endOfArchive, writeEntry } from '../../src/kernel/tar.ts';
import { layeredArchive } from './docker-archive.ts';

/** @returns an archive as `docker save` writes it; its process sleeps. */
export function busyboxImage(): Buffer {
  const applets = execFileSync('/bin/busybox', ['--list']).toString().trim().split('\n');
  const layer = Buffer.concat([
    ...['bin/', 'etc/', 'root/', 'tmp/'].map((name) => writeEntry({ name, type: '5', mode: name === 'tmp/' ? 0o1777 : 0o755 })),
    writeEntry({ name: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 }),
    ...applets.filter((name) => name !== 'busybox').map((name) => writeEntry({ name: `bin/${name}`, type: '2', link: 'busybox' })),
    writeEntry({ name: 'etc/passwd', content: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n') }),
    writeEntry({ name: 'etc/group', content: Buffer.from('root:x:0:\nnogroup:x:65534:\n') }),
    endOfArchive(),
  ]);
  return layeredArchive([layer], { Cmd: ['/bin/sleep', '100000'], Env: ['PATH=/bin'] }).archive;
}

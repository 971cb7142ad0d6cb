import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dockerArchive } from './image/docker-archive.ts';
import { tar } from './image/tar.ts';
import type { TarEntry } from './image/tar.ts';

/** Where the parts come from; tests name others. */
export interface GuestParts {
  /** A statically linked busybox with httpd: Debian's package busybox-static. */
  busybox: string;
  /** Debian's package dropbear-bin; left out when it is not there. */
  dropbear: string;
}

export const debianParts: GuestParts = { busybox: '/bin/busybox', dropbear: '/usr/sbin/dropbear' };

/** The image cannot be built; the message says what is missing and how to get it. */
export class GuestImageError extends Error {}

/**
 * The `hello` image, built without Docker: busybox, a web page, an ssh server, an init.
 * @returns a `docker save` archive; the same parts give the same bytes.
 */
export function buildGuestImage(parts: GuestParts = debianParts): Buffer {
  const layer = tar(withDirectories(guestFiles(parts)));
  return dockerArchive(layer, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
    command: ['/sbin/init'],
    exposed_ports: ['22/tcp', '80/tcp'],
    labels: { 'org.opencontainers.image.title': 'hello', 'org.opencontainers.image.description': 'busybox with a web page and ssh' },
    created_by: 'gantry up',
  });
}

function guestFiles(parts: GuestParts): Map<string, TarEntry> {
  const files = new Map<string, TarEntry>();
  const put = (entry: TarEntry): void => void files.set(entry.path, entry);
  const text = (path: string, content: string, mode = 0o644): void => put({ path, type: 'file', mode, content: Buffer.from(content) });

  put({ path: 'bin/busybox', type: 'file', mode: 0o755, content: staticBusybox(parts.busybox) });
  for (const applet of applets(parts.busybox)) put({ path: applet, type: 'symlink', mode: 0o777, target: '/bin/busybox' });
  for (const file of dropbearFiles(parts.dropbear)) put(file);
  text('sbin/init', readFileSync(join(import.meta.dirname, 'guest', 'init'), 'utf8'), 0o755);
  text('usr/bin/sudo', SUDO, 0o755);
  text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n');
  text('etc/group', 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n');
  text('etc/shadow', 'root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n', 0o600);
  text('etc/shells', '/bin/sh\n/bin/ash\n');
  text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n');
  text('etc/os-release', 'NAME="Gantry hello"\nID=gantry-hello\nPRETTY_NAME="Gantry hello (busybox)"\n');
  text('etc/profile', "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPS1='\\u@\\h:\\w# '\n");
  return files;
}

/** The login user is root already: only the options are to be swallowed. */
const SUDO = `#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -u | -g) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *) break ;;
  esac
done
exec "$@"
`;

/** Every directory on the way, parents first, then everything by name. */
function withDirectories(files: Map<string, TarEntry>): TarEntry[] {
  const directories = new Map<string, TarEntry>();
  const add = (path: string, mode = 0o755): void => {
    if (path === '.' || directories.has(path)) return;
    add(dirname(path));
    directories.set(path, { path, type: 'directory', mode });
  };
  add('root', 0o700);
  add('root/.ssh', 0o700);
  add('tmp', 0o1777);
  for (const path of ['dev', 'etc/dropbear', 'mnt', 'proc', 'run', 'sys', 'var/log', 'www']) add(path);
  for (const path of files.keys()) add(dirname(path));
  return [...directories.values(), ...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function staticBusybox(path: string): Buffer {
  const fix = 'install it with: apt-get install busybox-static';
  if (!existsSync(path)) throw new GuestImageError(`${path} is missing, which the hello image is made of; ${fix}`);
  const content = readFileSync(path);
  if (!isStatic(content)) throw new GuestImageError(`${path} is dynamically linked and would not run in an empty image; ${fix}`);
  return content;
}

/** A 64-bit little-endian ELF file without an interpreter (PT_INTERP). Source: elf(5). */
function isStatic(elf: Buffer): boolean {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46) return false;
  const offset = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    if (elf.readUInt32LE(offset + index * size) === 3) return false;
  }
  return true;
}

/** `bin/ls`, `usr/sbin/httpd` … as this busybox places them. */
function applets(busybox: string): string[] {
  const paths = execFileSync(busybox, ['--list-full'], { encoding: 'utf8' }).split('\n').filter((path) => path !== '');
  if (!paths.some((path) => path.endsWith('/httpd'))) throw new GuestImageError(`${busybox} has no httpd; install it with: apt-get install busybox-static`);
  const skip = new Set(['bin/busybox', 'sbin/init', 'linuxrc']);
  return paths.filter((path) => !skip.has(path));
}

/** The ssh server with the libraries it is linked with, each under the name that the loader looks for. */
function dropbearFiles(dropbear: string): TarEntry[] {
  if (!existsSync(dropbear)) return [];
  const listed = execFileSync('ldd', [dropbear], { encoding: 'utf8' });
  const libraries = [...listed.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map((match) => match[1]!);
  return [dropbear, ...libraries].map((path) => ({
    path: path.replace(/^\//, ''),
    type: 'file',
    mode: 0o755,
    content: readFileSync(realpathSync(path)),
  }));
}

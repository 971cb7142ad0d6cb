/** What a root file system says of itself. Pure. */
import { TarError } from '../../../kernel/tar.ts';
import type { LoginUser, RootFacts } from '../protocol.ts';

const INITS = ['sbin/init', 'usr/sbin/init', 'usr/bin/init', 'bin/init'];
const RELEASES = ['etc/os-release', 'usr/lib/os-release'];
const NOTED = new Set(['etc/passwd', ...RELEASES]);
const PROGRAMS = /^(?:usr\/)?s?bin\/[^/]+$/;
/** e_machine of ELF, by Go's names of architectures. */
const MACHINES: Readonly<Record<number, string>> = { 62: 'amd64', 183: 'arm64', 40: 'arm', 243: 'riscv64', 21: 'ppc64le', 22: 's390x', 3: '386' };
const MAX_USERS = 200;
const FIRST_USER = 1000;
const NOBODY = 65_534;

export interface FactFinder {
  /** Whether the content of this file has to be seen. */
  wants(name: string): boolean;
  file(name: string, content: Buffer): void;
  /** A file or a link, seen by its name only. */
  there(name: string, link: string): void;
  /** The first bytes of a file. */
  begins(name: string, bytes: Buffer): void;
  facts(): RootFacts;
}

export function createFactFinder(): FactFinder {
  const contents = new Map<string, string>();
  const links = new Map<string, string>();
  let architecture: string | undefined;
  return {
    wants: (name) => NOTED.has(name),
    file: (name, content) => void contents.set(name, content.toString('utf8')),
    there(name, link) {
      if (INITS.includes(name) || name.startsWith('etc/network/interfaces') || name === 'etc/cloud/cloud.cfg') links.set(name, link);
    },
    begins(name, bytes) {
      if (architecture === undefined && PROGRAMS.test(name)) architecture = machineOf(bytes);
    },
    facts() {
      const init = INITS.find((name) => links.has(name));
      if (init === undefined) throw new TarError('its root file system holds no /sbin/init');
      const release = releaseOf(RELEASES.map((name) => contents.get(name)).find((text) => text !== undefined) ?? '');
      return {
        init: initOf(links.get(init)!),
        init_path: `/${init}`,
        os_id: release['ID'] ?? '',
        os_version: release['VERSION_ID'] ?? '',
        architecture: architecture ?? null,
        users: usersOf(contents.get('etc/passwd') ?? ''),
        has_ifupdown: links.has('etc/network/interfaces'),
        has_cloud_init: links.has('etc/cloud/cloud.cfg'),
      };
    },
  };
}

function initOf(link: string): RootFacts['init'] {
  const program = link.split('/').at(-1);
  return program === 'systemd' ? 'systemd' : program === 'busybox' ? 'busybox' : 'other';
}

function machineOf(bytes: Buffer): string | undefined {
  if (bytes.length < 20 || bytes.readUInt32BE(0) !== 0x7f45_4c46) return undefined;
  return MACHINES[bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18)];
}

/** os-release(5). */
function releaseOf(text: string): Record<string, string> {
  const lines = [...text.matchAll(/^([A-Z_]+)=["']?([^"'\n]{0,64})/gm)];
  return Object.fromEntries(lines.map(([, name, value]) => [name!, value!]));
}

/** Root and the people of passwd(5). */
export function usersOf(passwd: string): LoginUser[] {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7 && /^[a-z_][a-z0-9_.-]{0,31}$/i.test(fields[0]!) && isHome(fields[5]!))
    .map((fields) => ({ name: fields[0]!, uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5]! }))
    .filter(({ uid, gid }) => isId(uid) && isId(gid) && (uid === 0 || (uid >= FIRST_USER && uid !== NOBODY)))
    .slice(0, MAX_USERS);
}

const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < 2 ** 21;
const isHome = (path: string): boolean => /^\/[^\0]{0,255}$/.test(path) && !path.split('/').includes('..');

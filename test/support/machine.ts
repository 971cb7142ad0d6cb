/** Makes the machine ready for all tests: packages, an engine that knows our runtime, routes that keep stray packets here. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseConfig } from '../../src/kernel/config/config.ts';
import { engineAnswers } from '../../src/cli/docker.ts';
import { partState } from '../../src/cli/process/parts.ts';
import { engineDir, ensureEngine, stopOwnPair } from '../../src/cli/up/engine.ts';
import { RUNTIME_PATH } from '../../src/cli/up/runtime.ts';
import type { Settings } from '../../src/cli/settings.ts';
import type { UpContext } from '../../src/cli/up/context.ts';

const root = resolve(import.meta.dirname, '../..');
const DATA = '/var/tmp/gantry-test';

/** program → Debian package that has it. */
const PROGRAMS: Record<string, string> = {
  '/usr/sbin/dockerd': 'docker.io',
  '/sbin/ip': 'iproute2',
  '/usr/sbin/nft': 'nftables',
  '/usr/sbin/dnsmasq': 'dnsmasq-base',
  '/usr/sbin/conntrack': 'conntrack',
  '/bin/busybox': 'busybox-static',
  '/usr/sbin/dropbear': 'dropbear-bin',
  '/usr/bin/ping': 'iputils-ping',
  '/usr/bin/ncat': 'ncat',
  '/usr/bin/ssh': 'openssh-client',
  '/usr/bin/qemu-img': 'qemu-utils',
  '/usr/lib/postgresql': 'postgresql',
  '/usr/bin/openstack': 'python3-openstackclient',
  '/usr/bin/skopeo': 'skopeo',
  '/usr/bin/podman': 'podman',
  '/usr/bin/chromium': 'chromium',
};

export interface Machine {
  release(): Promise<void>;
}

export async function prepareMachine(options: { engine: boolean }): Promise<Machine> {
  installPackages();
  blockStrayPackets();
  if (!options.engine) return { release: async () => {} };
  const own = await startEngine();
  return { release: async () => void (own && (await stopOwnPair(DATA))) };
}

function installPackages(): void {
  const missing = Object.entries(PROGRAMS).filter(([path]) => !existsSync(path)).map(([, name]) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`These packages are missing, and only root can install them: ${missing.join(' ')}`);
  console.log(`installing ${missing.join(' ')}`);
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}

function apt(...args: string[]): void {
  const result = spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  if (result.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
}

/** A test's packet that finds no interface of the test's own goes nowhere. */
function blockStrayPackets(): void {
  for (const net of ['10.10.0.0/16', '10.100.0.0/16', '172.16.0.0/12', '192.168.0.0/16']) {
    spawnSync('ip', ['route', 'add', 'unreachable', net, 'metric', '4000'], { stdio: 'ignore' });
  }
}

/** The checkout's, also in place of an older one; replaced as a whole, since the engine may be about to run it. */
function installRuntime(): void {
  const source = join(root, 'libexec', 'gantry-runc');
  if (existsSync(RUNTIME_PATH) && readFileSync(RUNTIME_PATH).equals(readFileSync(source))) return;
  mkdirSync(dirname(RUNTIME_PATH), { recursive: true });
  copyFileSync(source, `${RUNTIME_PATH}.new`);
  chmodSync(`${RUNTIME_PATH}.new`, 0o755);
  renameSync(`${RUNTIME_PATH}.new`, RUNTIME_PATH);
}

/** @returns whether the engine is one of our own, started here. */
async function startEngine(): Promise<boolean> {
  installRuntime();
  mkdirSync(DATA, { recursive: true });
  const config = parseConfig('', { file: join(DATA, 'gantry.toml'), env: {}, other_sections: 'ignore' });
  const settings: Settings = { config, config_file: join(DATA, 'gantry.toml'), data_dir: DATA, exists: true, checkout: root };
  // An engine of ours that an earlier run left is no reason to pass over one that runs now.
  const theirs = partState(DATA, 'dockerd').supervisor === undefined && (await engineAnswers(config.agent.docker_socket));
  if (theirs) rmSync(join(engineDir(DATA), 'daemon.json'), { force: true });
  const context = { settings, undo: [], say: (text: string) => console.log(text), signal: new AbortController().signal } as unknown as UpContext;
  return (await ensureEngine(context)).startsWith('own');
}

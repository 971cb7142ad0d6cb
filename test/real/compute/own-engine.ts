/**
 * A Docker engine of the test's own, to be stopped, killed and started without disturbing anybody. It runs in a network
 * namespace of its own: a dockerd without a bridge removes the `docker0` that it finds, whoever made it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createEngine } from '../../../src/agents/compute/drivers/docker/engine.ts';
import { alive, createRig, makeImage, type Rig, type TestImage, until } from './harness.ts';

const exec = promisify(execFile);
const WRAPPER = new URL('../../../libexec/gantry-runc', import.meta.url).pathname;
const PREFIX = 'gtc-engine-';

export interface OwnEngine {
  socket: string;
  start(): Promise<void>;
  /** The daemon only: containers and containerd go on. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Takes from the stopped daemon what it knows of a container. */
  forget(containerId: string): Promise<void>;
  /** Kills containerd, and starts it without what it knew of what runs. */
  loseTasks(): Promise<void>;
  close(): Promise<void>;
}

export async function createOwnEngine(): Promise<OwnEngine> {
  await removeLeftovers();
  const dir = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const socket = join(dir, 'docker.sock');
  const containerdSocket = join(dir, 'containerd.sock');
  const netns = basename(dir);
  await exec('ip', ['netns', 'add', netns]);
  const startContainerd = (): ChildProcess => run(dir, 'containerd', ['--root', join(dir, 'ctr-root'), '--state', join(dir, 'ctr-state'), '--address', containerdSocket, '--config', '/dev/null']);
  let containerd = startContainerd();
  await until('containerd', () => existsSync(containerdSocket), (there) => there);
  let daemon: ChildProcess | undefined;

  const self: OwnEngine = {
    socket,
    async start() {
      // nsenter rather than `ip netns exec`, which would hide the containers' mounts from the agent.
      daemon = run(dir, 'nsenter', [
        `--net=/run/netns/${netns}`, 'dockerd',
        '--containerd', containerdSocket, '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '-p', join(dir, 'docker.pid'),
        '-H', `unix://${socket}`, '--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false', '--live-restore', '--add-runtime', `gantry=${WRAPPER}`,
      ]);
      const engine = createEngine({ socket_path: socket });
      await until('the engine', () => engine.version().then(() => true, () => false), (up) => up, 60_000);
      engine.close();
    },
    async stop(signal) {
      await end(daemon, signal);
      if (signal === 'SIGKILL') await rm(join(dir, 'docker.pid'), { force: true });
    },
    forget: (containerId) => rm(join(dir, 'data', 'containers', containerId), { recursive: true }),
    async loseTasks() {
      await end(containerd, 'SIGKILL');
      await rm(join(dir, 'ctr-root'), { recursive: true, force: true });
      await rm(containerdSocket, { force: true });
      containerd = startContainerd();
      await until('containerd', () => existsSync(containerdSocket), (there) => there);
    },
    async close() {
      await end(daemon, 'SIGTERM');
      await end(containerd, 'SIGTERM');
      await clear(dir);
    },
  };
  try {
    await self.start();
  } catch (error) {
    await self.close();
    throw error;
  }
  return self;
}

function run(dir: string, command: string, args: string[]): ChildProcess {
  const log = openSync(join(dir, `${command}.log`), 'a');
  return spawn(command, args, { stdio: ['ignore', log, log] });
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** Ends whatever still runs out of the directory, and unmounts and removes it. */
async function clear(dir: string): Promise<void> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.split('\0').some((word) => word.startsWith(`${dir}/`))) await exec('kill', ['-KILL', pid]).catch(() => {});
  }
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${dir}/`)).reverse()) await exec('umount', ['-l', mount]).catch(() => {});
  await exec('ip', ['netns', 'del', basename(dir)]).catch(() => {});
  await rm(dir, { recursive: true, force: true });
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !(await alive(pid))) await clear(join(tmpdir(), name));
  }
}

/** A rig on an engine that knows the runtime of this checkout, and an image. */
export async function createOwnRig(): Promise<{ rig: Rig; image: TestImage; close(): Promise<void> }> {
  const engine = await createOwnEngine();
  const rig = await createRig(engine.socket);
  return {
    rig,
    image: await makeImage(),
    async close() {
      await rig.close();
      await engine.close();
    },
  };
}

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { closedParent } from '../doctor/host-checks.ts';
import type { Settings } from '../settings.ts';
import type { Part } from './parts.ts';

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--enable-source-maps'];
/** How much young garbage V8 may hold, in MiB: the agent makes little; the controller's requests cost more time below 8. */
const AGENT_FLAGS = [...NODE_FLAGS, '--max-semi-space-size=2'];
const CONTROLLER_FLAGS = [...NODE_FLAGS, '--max-semi-space-size=8'];

export function agentPart(settings: Settings): Part {
  return { name: 'agent', command: [process.execPath, ...AGENT_FLAGS, main(settings.checkout), 'agent', '--config', settings.config_file], env: serviceEnv(settings.data_dir) };
}

/**
 * The controller gives root up after its start and still loads code then, so sources and Node must be in reach for everybody.
 * Where a folder above them is closed (a checkout under /root), it gets a view of its own in which they lie elsewhere.
 */
export function controllerPart(settings: Settings): Part {
  const { checkout, data_dir, config_file, config } = settings;
  const env = serviceEnv(data_dir);
  const args = ['controller', '--config', config_file];
  const probes = { stat: statOf };
  const closed = (path: string): boolean => process.getuid?.() === 0 && closedParent(probes, dirname(path), config.controller.uid) !== undefined;
  if (!closed(join(checkout, 'src')) && !closed(process.execPath)) {
    return { name: 'controller', command: [process.execPath, ...CONTROLLER_FLAGS, main(checkout), ...args], env };
  }
  const program = join(data_dir, 'run', 'program');
  mkdirSync(program, { recursive: true, mode: 0o755 });
  const inside = relative(checkout, process.execPath);
  let node = join(program, inside);
  let mounts = 'mount --bind "$1" "$2"';
  if (inside.startsWith('..')) {
    node = join(data_dir, 'run', 'node');
    writeFileSync(node, '', { flag: 'a', mode: 0o755 });
    mounts += ' && mount --bind "$3" "$4"';
  }
  const script = `${mounts} && node=$4 && shift 4 && exec "$node" "$@"`;
  const command = ['unshare', '--mount', '--', 'sh', '-c', script, 'controller', checkout, program, process.execPath, node, ...CONTROLLER_FLAGS, main(program), ...args];
  return { name: 'controller', command, env };
}

function main(root: string): string {
  return join(root, 'src', 'main.ts');
}

function statOf(path: string): { mode: number; uid: number; mtime: Date } | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/**
 * Settings of the environment go along; where the cloud lies is in its file. The cache of compiled code is root's alone:
 * what the unprivileged controller could write there, root would run.
 */
function serviceEnv(data_dir: string): NodeJS.ProcessEnv {
  const settings = Object.entries(process.env).filter(([name]) => name.startsWith('GANTRY_') && !['GANTRY_DATA_DIR', 'GANTRY_NAME', 'GANTRY_PORT', 'GANTRY_HOST'].includes(name));
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  return { ...Object.fromEntries(settings), PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, LANG: 'C.UTF-8', NODE_COMPILE_CACHE: join(data_dir, 'cache') };
}

/** A process that has to strip types and compile keeps the memory that this took: the first start is left to one that ends. */
export async function warm(part: Part): Promise<void> {
  const cache = part.env['NODE_COMPILE_CACHE'];
  const mark = cache === undefined ? undefined : join(cache, `.${part.name}`);
  if (cache === undefined || mark === undefined || existsSync(mark)) return;
  const [program, ...args] = part.command as [string, ...string[]];
  const done = await new Promise<boolean>((resolve) => {
    const child = spawn(program, [...args, '--warm'], { env: part.env, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
  if (done) writeFileSync(mark, '');
}

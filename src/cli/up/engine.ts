import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerRequest, engineAnswers } from '../docker.ts';
import { run, which } from '../doctor/probes.ts';
import { CliError } from '../errors.ts';
import { endShims, stopGuests } from '../guests.ts';
import { healPart, logFile, startPart, stopPart, until } from '../process/parts.ts';
import type { Settings } from '../settings.ts';
import type { UpContext } from './context.ts';
import { DAEMON_JSON, dropBackup, editDaemonJson, withRuntime, withRuntimesEmptied } from './daemon-json.ts';
import { firewallFile } from './firewall.ts';
import { RUNTIME_PATH } from './runtime.ts';
import { rememberTraces } from './traces.ts';

/** Where the pair of our own keeps its files; the folder is the sign that there is one. */
export const engineDir = (data_dir: string): string => join(data_dir, 'engine');
export const ownsEngine = (data_dir: string): boolean => existsSync(join(engineDir(data_dir), 'daemon.json'));

/** Makes an engine answer that knows our runtime: the host's, or one of our own where none runs. */
export async function ensureEngine(context: UpContext): Promise<string> {
  const { settings } = context;
  const socket = settings.config.agent.docker_socket;
  if (ownsEngine(settings.data_dir)) {
    if (await startOwnPair(context)) return 'own engine, started again';
    return 'own engine';
  }
  if (await engineAnswers(socket)) return await registerRuntime(settings);
  if (existsSync('/run/systemd/system') && run('systemctl', ['cat', 'docker.service']).status === 0) {
    context.say('starting the docker service');
    const started = run('systemctl', ['start', 'docker']);
    if (started.status !== 0 || !(await until(() => engineAnswers(socket), 30_000, 100))) {
      throw new CliError('GY-DOCKER-001', `the docker service does not start: ${started.stderr.trim().split('\n')[0] ?? ''}`, { next: 'journalctl -u docker' });
    }
    return await registerRuntime(settings);
  }
  context.say('no Docker engine runs: starting one of our own');
  await startOwnPair(context);
  return 'own engine, started';
}

/** @returns whether anything had to be started. */
async function startOwnPair(context: UpContext): Promise<boolean> {
  const { data_dir, config } = context.settings;
  const socket = config.agent.docker_socket;
  const folder = engineDir(data_dir);
  const containerd = join(folder, 'containerd.sock');
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  rememberFirewall(folder);
  rememberTraces(folder);
  writeFileSync(join(folder, 'daemon.json'), withRuntime(existsSync(DAEMON_JSON) ? readFileSync(DAEMON_JSON, 'utf8') : '', config.agent.runtime, RUNTIME_PATH));
  const env = { PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin` };
  const supervised = { containerd: await healPart(data_dir, 'containerd'), dockerd: await healPart(data_dir, 'dockerd') };
  // dockerd would take the socket away from whoever listens on it.
  if (supervised.dockerd === 'dead' && (await engineAnswers(socket))) {
    throw new CliError('GY-DOCKER-007', `another Docker engine answers at ${socket}, and the containers of this cloud are in an engine of its own`, { next: 'stop the other engine, then run the same command again' });
  }
  if (supervised.containerd === 'dead') {
    // Under `undo` first: a start that fails half way is undone as well.
    context.undo.push({ what: 'containerd', run: () => stopContainerd(data_dir) });
    await startPart(data_dir, { name: 'containerd', command: ['containerd', '--root', join(folder, 'containerd'), '--state', join(folder, 'containerd-run'), '--address', containerd], env });
  }
  if (!(await until(() => existsSync(containerd), 15_000, 50))) throw engineFailed(data_dir, 'containerd');
  if (supervised.dockerd === 'dead') {
    rmSync(join(folder, 'docker.pid'), { force: true });
    context.undo.push({ what: 'dockerd', run: async () => void (await stopGuests(data_dir, socket, config.cloud.name), await stopPart(data_dir, 'dockerd')) });
    const command = [
      'dockerd', '--config-file', join(folder, 'daemon.json'), '--containerd', containerd, '--live-restore', '--data-root', join(folder, 'docker'),
      '--exec-root', join(folder, 'docker-run'), '--pidfile', join(folder, 'docker.pid'), '--host', `unix://${socket}`,
    ];
    await startPart(data_dir, { name: 'dockerd', command, env });
  }
  if (!(await until(() => engineAnswers(socket), 30_000, 50))) throw engineFailed(data_dir, 'dockerd');
  return supervised.containerd === 'dead' || supervised.dockerd === 'dead';
}

/** Docker changes the host's firewall; `down --purge` gives back what it was. */
function rememberFirewall(folder: string): void {
  const path = firewallFile(folder);
  const saved = which('iptables-save') === undefined || existsSync(path) ? undefined : run('iptables-save', []);
  if (saved?.status === 0) writeFileSync(path, saved.stdout, { mode: 0o600 });
}

function engineFailed(data_dir: string, part: string): CliError {
  return new CliError('GY-DOCKER-006', `our own ${part} does not come up`, { log: logFile(data_dir, part), next: `tail ${logFile(data_dir, part)}` });
}

/** Stops the pair of our own. @returns whether there was one. */
export async function stopOwnPair(data_dir: string): Promise<boolean> {
  if (!ownsEngine(data_dir)) return false;
  const docker = await stopPart(data_dir, 'dockerd');
  const containerd = await stopContainerd(data_dir);
  return docker || containerd;
}

async function stopContainerd(data_dir: string): Promise<boolean> {
  const stopped = await stopPart(data_dir, 'containerd');
  await endShims(join(engineDir(data_dir), 'containerd.sock'));
  return stopped;
}

async function registerRuntime(settings: Settings): Promise<string> {
  const { docker_socket, runtime } = settings.config.agent;
  const knows = (): Promise<boolean> => knowsRuntime(docker_socket, runtime);
  if (await knows()) return 'the host\'s engine';
  const flag = `--add-runtime ${runtime}=${RUNTIME_PATH}`;
  const daemon = findDaemon();
  // dockerd refuses to start with the same setting in both places.
  if (daemon?.command.some((word) => word.startsWith('--add-runtime'))) {
    throw new CliError('GY-DOCKER-003', 'the engine gets its runtimes by flags, so daemon.json must not name any', { next: `restart dockerd with ${flag} as well` });
  }
  editDaemonJson((text) => withRuntime(text, runtime, RUNTIME_PATH), settingsFileOf(daemon?.command));
  if (daemon !== undefined) process.kill(daemon.pid, 'SIGHUP');
  if (!(await until(knows, 10_000, 100))) throw new CliError('GY-DOCKER-003', `the engine did not take up runtime ${runtime} from ${DAEMON_JSON}`, { next: `restart Docker, or start dockerd with ${flag}` });
  return 'the host\'s engine, runtime registered';
}

/** Takes the runtime out of the host's engine and its settings again. @returns whether it was there by us. */
export async function unregisterRuntime(settings: Settings): Promise<boolean> {
  const { docker_socket, runtime } = settings.config.agent;
  const daemon = findDaemon();
  const file = settingsFileOf(daemon?.command);
  if (!editDaemonJson((text) => withRuntimesEmptied(text, runtime, RUNTIME_PATH), file, { backup: false })) return false;
  if (daemon !== undefined) {
    process.kill(daemon.pid, 'SIGHUP');
    await until(async () => !(await knowsRuntime(docker_socket, runtime)), 3_000, 50);
  }
  const emptied = (text: string): string => {
    const { runtimes, ...rest } = JSON.parse(text) as { runtimes?: object };
    const left = Object.keys(runtimes ?? {}).length > 0 ? { ...rest, runtimes } : rest;
    return Object.keys(left).length === 0 ? '' : `${JSON.stringify(left, null, 2)}\n`;
  };
  editDaemonJson(emptied, file, { backup: false });
  dropBackup(file);
  return true;
}

async function knowsRuntime(socket: string, runtime: string): Promise<boolean> {
  return ((await dockerRequest(socket, 'GET', '/info')) as { Runtimes?: Record<string, unknown> }).Runtimes?.[runtime] !== undefined;
}

function settingsFileOf(command: readonly string[] | undefined): string {
  const index = command?.findIndex((word) => word === '--config-file' || word.startsWith('--config-file=')) ?? -1;
  if (command === undefined || index < 0) return DAEMON_JSON;
  return command[index]!.includes('=') ? command[index]!.split('=')[1]! : (command[index + 1] ?? DAEMON_JSON);
}

/** The host's dockerd, in our own process namespace. */
function findDaemon(): { pid: number; command: string[] } | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'dockerd') continue;
      return { pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') };
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}


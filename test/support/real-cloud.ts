/** A whole cloud for tests and measurements: controller and agent as processes of their own, on a free port, in a data directory of their own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { login, type Credentials, type Session } from '../../src/cli/api.ts';
import { logFile, runDir, type Part } from '../../src/cli/process/parts.ts';
import { alive, identityOf, readPidFile } from '../../src/cli/process/pid-file.ts';
import { agentPart, controllerPart, warm } from '../../src/cli/process/program.ts';
import { releaseBelow } from '../../src/cli/mounts.ts';
import { prepareDataDir } from '../../src/cli/secrets.ts';
import { checkout, type Settings } from '../../src/cli/settings.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { freePort } from './free-port.ts';
import { DOCKER_SOCKET, removeRemains } from './real-cloud-remains.ts';

export type PartName = 'controller' | 'agent';

export interface RealCloudOptions {
  /** At most 6 lower-case letters and digits, a letter first; of one test file or script alone: it finds again what a crashed run left. */
  name: string;
  /** `fake`: nothing in Docker or the kernel, and root is not needed. Default `real`. */
  drivers?: 'real' | 'fake';
  /** Further TOML; sections [cloud], [api] and [agent] are taken. */
  toml?: string;
  /** Further lines of section [agent]. */
  agent?: string;
  /** False: only the controller is started. */
  with_agent?: boolean;
}

export interface Tenant {
  project_id: string;
  session: Session;
  /** For the `openstack` client. */
  env: NodeJS.ProcessEnv;
}

export interface RealCloud {
  name: string;
  /** `http://127.0.0.1:PORT` */
  url: string;
  data_dir: string;
  settings: Settings;
  admin: Session;
  admin_password: string;
  /** Environment of the `openstack` client as admin. */
  env: NodeJS.ProcessEnv;
  /** A new project with one user. */
  tenant(name: string, roles?: string[]): Promise<Tenant>;
  /** Undefined when it does not run. */
  pid(part: PartName): number | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(part: PartName): Promise<void>;
  /** Resolves as soon as the process exists; `waitReady` waits for its work. */
  launch(part: PartName): void;
  /** Until the APIs answer and, with an agent, its node is there. @throws Error with the end of the logs. */
  waitReady(timeout_ms?: number): Promise<void>;
  /** Ends both and removes everything: rows, containers, images, namespaces, files. */
  stop(): Promise<void>;
}

/** Starts a cloud after removing what an earlier, crashed run of the same name has left. @throws Error when such a run is still going on. */
export async function startRealCloud(options: RealCloudOptions): Promise<RealCloud> {
  const data_dir = realCloudDir(options.name);
  await clear(options.name, data_dir);
  mkdirSync(data_dir, { recursive: true, mode: 0o711 });
  writeFileSync(ownerFile(data_dir), describe(process.pid));
  const settings = await writeSettings(options, data_dir);
  prepareDataDir(settings);
  mkdirSync(join(data_dir, 'home'), { recursive: true });
  const parts = processes(settings);
  await Promise.all([warm(controllerPart(settings)), warm(agentPart(settings))]);
  const admin_password = readFileSync(settings.config.controller.admin_password_file, 'utf8').trim();
  const url = settings.config.api.public_url;
  const credentials = (username: string, password: string, project: string): Credentials => ({ auth_url: `${url}/identity/v3`, username, password, project, region: 'RegionOne' });
  const with_agent = options.with_agent ?? true;
  const stop = async (): Promise<void> => {
    await parts.stopAll();
    await clear(options.name, data_dir);
  };
  const waitReady = async (timeout_ms = 60_000): Promise<void> => {
    await within(timeout_ms, `cloud ${options.name} is not ready`, () => parts.problem(), async () => {
      if (parts.pid('controller') === undefined) throw new HopelessError('the controller has ended');
      const session = await login(credentials('admin', admin_password, 'admin'));
      return !with_agent || (parts.pid('agent') !== undefined && (await hasNode(session)));
    });
  };
  try {
    parts.launch('controller');
    if (with_agent) parts.launch('agent');
    await waitReady();
    const admin = await login(credentials('admin', admin_password, 'admin'));
    return {
      name: options.name, url, data_dir, settings, admin, admin_password,
      env: clientEnv(data_dir, credentials('admin', admin_password, 'admin')),
      tenant: async (name, roles = ['member']) => {
        const password = `password-of-${name}`;
        const project_id = await makeTenant(admin, name, password, roles);
        const mine = credentials(name, password, name);
        return { project_id, session: await login(mine), env: clientEnv(data_dir, mine) };
      },
      pid: parts.pid, kill: parts.kill, launch: parts.launch, waitReady, stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const realCloudDir = (name: string): string => join(tmpdir(), `gantry-cloud-${name}`);

const ownerFile = (data_dir: string): string => join(data_dir, 'owner.pid');

function describe(pid: number): string {
  const identity = identityOf(pid);
  return identity === undefined ? '' : `${identity.pid} ${identity.start}\n`;
}

/** Ends processes of an earlier run, then removes what it left in Docker, in the kernel and on disk. */
async function clear(name: string, data_dir: string): Promise<void> {
  const owner = readPidFile(ownerFile(data_dir));
  if (alive(owner) && owner.pid !== process.pid) throw new Error(`process ${owner.pid} uses a cloud named ${name} already`);
  for (const part of ['agent', 'controller']) {
    const old = readPidFile(join(runDir(data_dir), `${part}.pid`));
    if (!alive(old)) continue;
    process.kill(old.pid, 'SIGKILL');
    while (alive(old)) await sleep(10);
  }
  await removeRemains(name);
  releaseBelow(data_dir);
  rmSync(data_dir, { recursive: true, force: true, maxRetries: 3 });
}

async function writeSettings({ name, drivers = 'real', toml = '', agent = '' }: RealCloudOptions, data_dir: string): Promise<Settings> {
  const fake = drivers === 'fake';
  const sections = [
    `[cloud]\nname = "${name}"`,
    `[api]\nport = ${await freePort()}`,
    `[agent]\nhostname = "${name}-node"\ndocker_socket = "${DOCKER_SOCKET}"\ncompute_driver = "${fake ? 'fake' : 'docker'}"\nnetwork_driver = "${fake ? 'fake' : 'linux'}"\n${agent}`,
    toml,
  ];
  const config_file = join(data_dir, 'gantry.toml');
  writeFileSync(config_file, `${sections.join('\n\n')}\n`);
  const config = loadConfig({ file: config_file, env: {}, other_sections: 'ignore' });
  return { config, config_file, data_dir, exists: true, checkout };
}


interface Processes {
  pid(part: PartName): number | undefined;
  launch(part: PartName): void;
  kill(part: PartName): Promise<void>;
  stopAll(): Promise<void>;
  /** The ends of the logs, for an error's text. */
  problem(): string;
}

function processes(settings: Settings): Processes {
  const { data_dir } = settings;
  const running = new Map<PartName, ChildProcess>();
  const programs: Record<PartName, Part> = { controller: controllerPart(settings), agent: agentPart(settings) };
  const pid = (part: PartName): number | undefined => {
    const child = running.get(part);
    return child === undefined || child.exitCode !== null || child.signalCode !== null ? undefined : child.pid;
  };
  const ended = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
  };
  process.once('exit', () => {
    for (const child of running.values()) child.kill('SIGKILL');
  });
  return {
    pid,
    launch(part) {
      if (pid(part) !== undefined) throw new Error(`${part} runs already`);
      const { command, env } = programs[part];
      const log = openSync(logFile(data_dir, part), 'a');
      const child = spawn(command[0]!, command.slice(1), { cwd: '/', env, stdio: ['ignore', log, log] });
      closeSync(log);
      if (child.pid !== undefined) writeFileSync(join(runDir(data_dir), `${part}.pid`), describe(child.pid));
      running.set(part, child);
    },
    async kill(part) {
      const child = running.get(part);
      child?.kill('SIGKILL');
      if (child !== undefined) await ended(child);
    },
    async stopAll() {
      // The agent first: what happens to its guests afterwards is no news for anybody.
      for (const child of [running.get('agent'), running.get('controller')]) {
        if (child === undefined) continue;
        child.kill('SIGTERM');
        const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await ended(child);
        clearTimeout(patience);
      }
      running.clear();
    },
    problem: () => (['controller', 'agent'] as const).map((part) => `--- ${part}${pid(part) === undefined ? ' (not running)' : ''}\n${tail(logFile(data_dir, part))}`).join('\n'),
  };
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-3000) : '';
}

/** The controller sees the node, and boots would find it. */
async function hasNode(session: Session): Promise<boolean> {
  const { services } = (await session.call('compute', 'GET', '/os-services?binary=nova-compute')) as { services: { state: string }[] };
  const { resource_providers } = (await session.call('placement', 'GET', '/resource_providers')) as { resource_providers: object[] };
  return resource_providers.length > 0 && services.length > 0 && services.every((service) => service.state === 'up');
}

async function makeTenant(admin: Session, name: string, password: string, roles: string[]): Promise<string> {
  const { project } = await admin.call('identity', 'POST', '/projects', { project: { name, domain_id: 'default' } });
  const { user } = await admin.call('identity', 'POST', '/users', { user: { name, domain_id: 'default', password } });
  for (const role of roles) {
    const found = await admin.call('identity', 'GET', `/roles?name=${role}`);
    await admin.call('identity', 'PUT', `/projects/${project.id}/users/${user.id}/roles/${found.roles[0].id}`);
  }
  return project.id;
}

/** Only these variables: a clouds.yaml or an openrc of whoever runs the tests has no say. */
function clientEnv(data_dir: string, { auth_url, username, password, project, region }: Credentials): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: join(data_dir, 'home'), LANG: 'C.UTF-8', PYTHONWARNINGS: 'ignore',
    OS_AUTH_URL: auth_url, OS_USERNAME: username, OS_PASSWORD: password, OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_ID: 'default', OS_PROJECT_DOMAIN_ID: 'default', OS_IDENTITY_API_VERSION: '3', OS_REGION_NAME: region,
  };
}

/** What is waited for will not come. */
class HopelessError extends Error {}

/** Polls until the check holds; errors of it count as "not yet". @throws Error with the last of them and the detail. */
export async function within(timeout_ms: number, what: string, detail: () => string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + timeout_ms;
  let last: unknown;
  for (;;) {
    try {
      if (await check()) return;
    } catch (error) {
      last = error;
    }
    if (last instanceof HopelessError || performance.now() > end) throw new Error(`${what} after ${timeout_ms / 1000} s${last === undefined ? '' : `: ${(last as Error).message}`}\n${detail()}`);
    await sleep(50);
  }
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, whatever its exit status. */
export function runProgram(command: string[], options: { env?: NodeJS.ProcessEnv; timeout_ms?: number; input?: string } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(command[0]!, command.slice(1), { env: options.env ?? process.env, timeout: options.timeout_ms ?? 120_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr: code === 255 ? `${stderr}${error?.message ?? ''}` : stderr });
    });
    child.stdin?.end(options.input);
  });
}

import { closeSync, openSync, readSync, fstatSync } from 'node:fs';
import { login } from '../api.ts';
import type { ApiError, Session } from '../api.ts';
import { CliError } from '../errors.ts';
import { healPart, logFile, partState, startPart, stopPart, until } from '../process/parts.ts';
import type { Part } from '../process/parts.ts';
import { agentPart, controllerPart, warm } from '../process/program.ts';
import { credentialsOf } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import type { UpContext } from './context.ts';

const READY_MS = 45_000;
const NODE_MS = 20_000;
/** All services are one process: what is silent this long after identity spoke will not speak. */
const SILENT_MS = 10_000;

/** Starts what does not run. A part that runs already with the same settings is left alone. */
export async function ensurePart(context: UpContext, part: Part): Promise<string> {
  const { data_dir } = context.settings;
  if ((await healPart(data_dir, part.name)) === 'running') return `running, process ${partState(data_dir, part.name).process?.pid ?? '?'}`;
  context.undo.push({ what: part.name, run: () => stopPart(data_dir, part.name) });
  await warm(part);
  context.signal.throwIfAborted();
  await startPart(data_dir, part);
  return `started, process ${partState(data_dir, part.name).process?.pid ?? '?'}`;
}

export const ensureController = (context: UpContext): Promise<string> => ensurePart(context, controllerPart(context.settings));
export const ensureAgent = (context: UpContext): Promise<string> => ensurePart(context, agentPart(context.settings));

/** Waits until identity issues a token and every service of the catalogue answers. */
export async function waitForApis(context: UpContext): Promise<Session> {
  const { settings } = context;
  const last: { error: Error | undefined; session: Session | undefined; since: number; silent: string[] } = { error: undefined, session: undefined, since: Infinity, silent: [] };
  let processes = 0;
  let seen: number | undefined;
  const ready = await until(async () => {
    const pid = partState(settings.data_dir, 'controller').process?.pid;
    if (pid !== seen) [seen, processes] = [pid, processes + 1];
    if (processes > 6) throw notReady(settings, 'the controller ends again and again');
    try {
      last.session ??= await login(credentialsOf(settings, 'admin'));
      last.since = Math.min(last.since, Date.now());
      last.silent = await silentServices(last.session);
      if (last.silent.length > 0 && Date.now() - last.since > SILENT_MS) throw notReady(settings, `no answer from ${last.silent.join(', ')}`);
      return last.silent.length === 0;
    } catch (error) {
      if (error instanceof CliError) throw error;
      last.error = error as Error;
      return (error as ApiError).status === 401 ? Promise.reject(wrongPassword(settings)) : false;
    }
  }, READY_MS, 50);
  if (!ready) throw notReady(settings, last.error?.message ?? 'no answer');
  return last.session!;
}

/** Waits until the scheduler may use this host: its agent has joined and reports. */
export async function waitForNode({ settings }: UpContext, admin: Session): Promise<void> {
  const { hostname, roles } = settings.config.agent;
  if (!roles.includes('compute')) return;
  const joined = await until(async () => {
    const { services } = (await admin.call('compute', 'GET', '/os-services?binary=nova-compute')) as { services: { host: string; state: string }[] };
    return services.some((service) => service.host === hostname && service.state === 'up');
  }, NODE_MS, 50);
  if (!joined) throw lastWords(settings, 'agent', 'GY-UP-AGENT', `the agent of ${hostname} has not joined the cloud`);
}

async function silentServices(session: Session): Promise<string[]> {
  const answers = await Promise.all(session.catalog.map(async ({ type, url }) => {
    const { ok, error } = await probe(url);
    return ok ? undefined : `${type} (${error})`;
  }));
  return answers.filter((type) => type !== undefined);
}

/** Asks a service for its version document, which needs no token. */
export async function probe(url: string): Promise<{ ok: boolean; milliseconds: number; body: unknown; error?: string }> {
  const begun = performance.now();
  try {
    const response = await fetch(`${url}/`, { signal: AbortSignal.timeout(5_000), headers: { accept: 'application/json' } });
    const text = await response.text();
    const ok = response.status < 400;
    return { ok, milliseconds: performance.now() - begun, body: parse(text), ...(ok ? {} : { error: `${response.status}` }) };
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined;
    return { ok: false, milliseconds: performance.now() - begun, body: undefined, error: cause?.message ?? (error as Error).message };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wrongPassword(settings: Settings): CliError {
  return new CliError('GY-UP-PASSWORD', `user admin no longer has the password in ${settings.config.controller.admin_password_file}`, { next: `write the present password into ${settings.config.controller.admin_password_file}` });
}

const notReady = (settings: Settings, why: string): CliError => lastWords(settings, 'controller', 'GY-UP-API', `the APIs do not answer: ${why}`);

function lastWords(settings: Settings, part: 'controller' | 'agent', reason: string, what: string): CliError {
  const log = logFile(settings.data_dir, part);
  const words = telling(lastLines(log, 200).split('\n')).join('\n');
  return new CliError(reason, `${what}${words === '' ? '' : `\n  last words of the ${part}:\n${words.replaceAll(/^/gm, '    ')}`}`, { log, next: `./gantry logs ${part}` });
}

/** The last lines that say more than that a request was answered: warnings, errors, and what is no record at all. */
function telling(lines: readonly string[]): string[] {
  const notes = lines.filter((line) => !line.includes('"msg":"request"') && !line.startsWith('{"level":"debug"'));
  const grave = notes.filter((line) => !line.startsWith('{"level":"info"') && !/^\s*(at |[}^]|$)|^Node\.js v/.test(line));
  return (grave.length > 0 ? grave : notes).slice(-8).map((line) => line.slice(0, 500));
}

/** The end of a file, at most 64 KiB of it. */
export function lastLines(path: string, count: number): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const size = fstatSync(file).size;
    const bytes = Buffer.alloc(Math.min(size, 65_536));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString().trimEnd().split('\n').slice(-count).join('\n');
  } finally {
    closeSync(file);
  }
}

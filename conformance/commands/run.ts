/** Calls one client with all steps, one after the other. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scene, Step } from './step.ts';

/** Passed, perhaps with a remark; why not; or undefined for a command that the client has not. */
export type Verdict = { passed: true; remark?: string } | { passed: false; error: string } | undefined;

export interface Login {
  auth_url: string;
  username: string;
  password: string;
  project: string;
}

const PATIENCE_MS = 120_000;

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** @param terminal the client sees one as its standard input: an image is then made without data, else from what stands there */
function call(client: string, args: string[], env: NodeJS.ProcessEnv, terminal = false): Promise<Ended> {
  const [program, all] = terminal ? ['script', ['-qec', [client, ...args].map(quoted).join(' '), '/dev/null']] : [client, args];
  return new Promise((resolve, reject) => {
    const child = spawn(program, all, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject).once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Nothing of the caller's own cloud settings gets in. */
function environment({ auth_url, username, password, project }: Login, home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'], HOME: home, LANG: 'C.UTF-8', COLUMNS: '200', PYTHONWARNINGS: 'ignore',
    OS_AUTH_URL: auth_url, OS_USERNAME: username, OS_PASSWORD: password, OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_ID: 'default', OS_PROJECT_DOMAIN_ID: 'default', OS_IDENTITY_API_VERSION: '3',
  };
}

/** @param prefix begins the names of all that the steps make */
export async function runSteps(client: string, login: Login, steps: readonly Step[], prefix: string, tell: (line: string) => void): Promise<Map<string, Verdict>> {
  const home = mkdtempSync(join(tmpdir(), 'gantry-commands-'));
  try {
    const base = environment(login, home);
    const known = await knownCommands(client, base);
    const memory = new Map<string, string>();
    const scene = makeScene(prefix, home, memory);
    const verdicts = new Map<string, Verdict>();
    let failed = false;
    for (const step of steps) {
      // what has not been done does not come about by waiting
      if (failed && step.until !== undefined) continue;
      const verdict = known.has(step.command) ? await perform(client, base, step, scene, memory) : undefined;
      if (verdict !== undefined) tell(verdict.passed ? `pass ${step.command}` : `FAIL ${step.command}: ${verdict.error}`);
      failed = verdict?.passed === false;
      if (step.helper !== true) verdicts.set(step.command, verdict);
    }
    return verdicts;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export async function clientVersion(client: string): Promise<string> {
  const { stdout, stderr } = await call(client, ['--version'], { PATH: process.env['PATH'], LANG: 'C.UTF-8' });
  return `${stdout}${stderr}`.trim().split('\n').at(-1) ?? client;
}

async function knownCommands(client: string, env: NodeJS.ProcessEnv): Promise<Set<string>> {
  const { status, stdout, stderr } = await call(client, ['command', 'list', '-f', 'json'], env);
  if (status !== 0) throw new Error(`${client} command list: ${lastLine(stderr)}`);
  const groups = JSON.parse(stdout) as { Commands: string[] | string }[];
  return new Set(groups.flatMap(({ Commands }) => (typeof Commands === 'string' ? Commands.split('\n') : Commands)));
}

function makeScene(prefix: string, home: string, memory: ReadonlyMap<string, string>): Scene {
  const path = (name: string): string => join(home, name);
  return {
    name: (what) => `${prefix}-${what}`,
    saved(what) {
      const value = memory.get(what);
      if (value === undefined) throw new Error(`the step before it gave no ${what}`);
      return value;
    },
    file(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
    path,
  };
}

async function perform(client: string, base: NodeJS.ProcessEnv, step: Step, scene: Scene, memory: Map<string, string>): Promise<Verdict> {
  try {
    const args = step.args(scene).filter((arg) => arg !== undefined);
    const output = step.save === undefined && step.until === undefined ? [] : ['-f', 'json'];
    const began = Date.now();
    for (;;) {
      const { status, stdout, stderr } = await call(client, [...step.command.split(' '), ...output, ...args], { ...base, ...step.env?.(scene) }, step.terminal);
      if (status !== 0) return ended(step, lastLine(stderr) || lastLine(stdout) || `it ended with ${String(status)}`);
      const missing = lacking(step.until ?? {}, stdout);
      if (missing === undefined) {
        remember(step.save ?? {}, stdout, memory);
        return { passed: true };
      }
      if (Date.now() - began > PATIENCE_MS) return { passed: false, error: `still ${missing}` };
    }
  } catch (error) {
    return { passed: false, error: (error as Error).message };
  }
}

function ended({ clientFault, refusal }: Step, error: string): Verdict {
  const known = [clientFault, refusal].find((one) => one?.error.test(error));
  return known === undefined ? { passed: false, error } : { passed: true, remark: known.why };
}

/** The first column that is not yet as it should become. */
function lacking(until: Record<string, string>, stdout: string): string | undefined {
  if (Object.keys(until).length === 0) return undefined;
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  if (answer['status'] === 'ERROR') throw new Error(`it is in ERROR: ${JSON.stringify(answer['fault'])}`);
  const [column] = Object.entries(until).find(([name, value]) => answer[name] !== value) ?? [];
  return column === undefined ? undefined : `${column} ${String(answer[column])}`;
}

function remember(save: Record<string, string>, stdout: string, memory: Map<string, string>): void {
  if (Object.keys(save).length === 0) return;
  const answer = JSON.parse(stdout) as Record<string, unknown> | Record<string, unknown>[];
  const row = Array.isArray(answer) ? answer[0] : answer;
  for (const [name, column] of Object.entries(save)) {
    const value = row?.[column];
    if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`its answer has no ${column}`);
    memory.set(name, String(value));
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

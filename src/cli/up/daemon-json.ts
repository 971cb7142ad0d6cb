import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CliError } from '../errors.ts';

export const DAEMON_JSON = '/etc/docker/daemon.json';

type Json = Record<string, unknown>;

/** The engine's settings with this runtime among the others. @throws CliError when the text is no JSON object. */
export function withRuntime(text: string, name: string, path: string): string {
  const settings = parse(text);
  const runtimes = (settings['runtimes'] ?? {}) as Json;
  return `${JSON.stringify({ ...settings, runtimes: { ...runtimes, [name]: { path } } }, null, 2)}\n`;
}

/** The settings without it; empty text when nothing else was there. */
export function withoutRuntime(text: string, name: string, path: string): string {
  const settings = parse(text);
  const runtimes = { ...((settings['runtimes'] ?? {}) as Record<string, { path?: string }>) };
  if (runtimes[name]?.path !== path) return text;
  delete runtimes[name];
  const { runtimes: _, ...rest } = settings;
  const left = Object.keys(runtimes).length === 0 ? rest : { ...rest, runtimes };
  return Object.keys(left).length === 0 ? '' : `${JSON.stringify(left, null, 2)}\n`;
}

function parse(text: string): Json {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Json;
  } catch {
    // Said below, with the fix.
  }
  throw new CliError('GY-DOCKER-005', `${DAEMON_JSON} is no JSON object`, { next: `repair ${DAEMON_JSON}, then run the same command again` });
}

/** The same with an empty list left standing: a reload only takes runtimes away when the key is there. */
export function withRuntimesEmptied(text: string, name: string, path: string): string {
  const left = withoutRuntime(text, name, path);
  const settings = parse(left);
  return left === text ? text : `${JSON.stringify({ ...settings, runtimes: settings['runtimes'] ?? {} }, null, 2)}\n`;
}

/** Takes the copy away once the file is again what it was. */
export function dropBackup(path = DAEMON_JSON): void {
  const backup = `${path}.before-gantry`;
  const now = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (existsSync(backup) && JSON.stringify(parse(readFileSync(backup, 'utf8'))) === JSON.stringify(parse(now))) rmSync(backup);
}

/** Changes the file, keeping a copy of the first version seen. An empty result removes it. @returns whether anything changed. */
export function editDaemonJson(change: (text: string) => string, path = DAEMON_JSON, options: { backup: boolean } = { backup: true }): boolean {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const after = change(before);
  if (after === before) return false;
  const backup = `${path}.before-gantry`;
  if (options.backup && before !== '' && !existsSync(backup)) copyFileSync(path, backup);
  if (after === '') rmSync(path, { force: true });
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, after, { mode: 0o644 });
    renameSync(`${path}.new`, path);
  }
  return true;
}

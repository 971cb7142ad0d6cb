import { existsSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CliError } from './errors.ts';
import type { Output } from './output.ts';
import { until } from './process/parts.ts';
import { didYouMean } from '../kernel/config/suggest.ts';

export interface LogQuery {
  service: string | undefined;
  follow: boolean;
  since: Date | undefined;
  request_id: string | undefined;
  lines: number;
  raw: boolean;
}

export interface LogLine {
  service: string;
  /** ISO instant, or empty where the line has none. */
  time: string;
  text: string;
  raw: string;
}

/** `10m`, `2h`, `1d`, `30s` ago, or an ISO instant. @throws CliError */
export function parseSince(text: string, now: Date): Date {
  const ago = /^(\d+)([smhd])$/.exec(text);
  const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
  const at = ago === null ? new Date(text) : new Date(now.getTime() - Number(ago[1]) * units[ago[2] as keyof typeof units] * 1000);
  if (Number.isNaN(at.getTime())) throw new CliError('GY-LOGS-001', `--since ${text} is no time`, { next: './gantry logs --since 10m, or an instant like 2030-01-31T12:00:00Z' });
  return at;
}

/** Joins the logs of all processes (or of one) by time. With `follow` until `signal` says stop. */
export async function logs(data_dir: string, query: LogQuery, output: Output, signal: AbortSignal): Promise<void> {
  const files = logFiles(data_dir, query.service);
  const wanted = (line: LogLine): boolean =>
    (query.request_id === undefined || line.raw.includes(query.request_id)) && (query.since === undefined || line.time === '' || new Date(line.time) >= query.since);
  const show = (line: LogLine): void => output.print(query.raw ? line.raw : format(line, files.length > 1));

  const tails = await Promise.all(files.map((file) => readFrom(file, 0)));
  const lines = tails.flatMap((tail, index) => tail.lines.map((raw) => parseLine(basename(files[index]!, '.log'), raw))).filter(wanted);
  const narrowed = query.request_id !== undefined || query.since !== undefined;
  for (const line of byTime(lines).slice(narrowed ? 0 : -query.lines)) show(line);
  if (!query.follow) return;

  const positions = tails.map((tail) => tail.end);
  while (!signal.aborted) {
    const fresh: LogLine[] = [];
    await until(async () => {
      for (const [index, file] of files.entries()) {
        const { lines: more, end } = await readFrom(file, positions[index]!);
        positions[index] = end;
        fresh.push(...more.map((raw) => parseLine(basename(file, '.log'), raw)));
      }
      return fresh.length > 0 || signal.aborted;
    }, 3_600_000, 200);
    for (const line of byTime(fresh.filter(wanted))) show(line);
  }
}

function logFiles(data_dir: string, service: string | undefined): string[] {
  const folder = join(data_dir, 'log');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.log')).map((name) => basename(name, '.log')) : [];
  if (names.length === 0) throw new CliError('GY-LOGS-002', `there are no logs in ${folder}`, { next: './gantry up, or name the folder with --data-dir' });
  if (service === undefined) return names.filter((name) => name === 'controller' || name === 'agent').map((name) => join(folder, `${name}.log`));
  if (!names.includes(service)) throw new CliError('GY-LOGS-003', `there is no log of ${service}${didYouMean(service, names)}`, { next: `./gantry logs, or one of: ${names.join(', ')}` });
  return [join(folder, `${service}.log`)];
}

/** Whole lines from `start` on, at most the last 8 MiB of them; a file that became shorter was rotated and is read anew. */
async function readFrom(path: string, start: number): Promise<{ lines: string[]; end: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(size < start ? 0 : start, size - 8 * 1024 * 1024);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - from), position: from });
    const text = buffer.subarray(0, bytesRead).toString();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return { lines: whole.split('\n').filter((line) => line !== ''), end: from + Buffer.byteLength(whole) };
  } finally {
    await file.close();
  }
}

export function parseLine(service: string, raw: string): LogLine {
  try {
    const { time, level, msg, ...rest } = JSON.parse(raw) as Record<string, unknown>;
    const fields = Object.entries(rest).filter(([name]) => name !== 'name').map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    return { service, time: String(time ?? ''), text: `${String(level ?? '').padEnd(5)} ${String(msg ?? '')}${fields.length > 0 ? `  ${fields.join(' ')}` : ''}`, raw };
  } catch {
    return { service, time: '', text: raw, raw };
  }
}

/** Stable: a line without a time stays behind the one before it. */
function byTime(lines: LogLine[]): LogLine[] {
  let last = '';
  const timed = lines.map((line, index) => ({ line, index, key: (last = line.time === '' ? last : line.time) }));
  return timed.sort((a, b) => (a.key === b.key ? a.index - b.index : a.key < b.key ? -1 : 1)).map(({ line }) => line);
}

function format(line: LogLine, several: boolean): string {
  return [line.time, several ? line.service.padEnd(10) : '', line.text].filter((part) => part !== '').join(' ');
}

/** What all measurements share: statistics, what /proc tells of a process, tables. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What it may be at most (`<=`) or has to be at least (`>=`). */
  budget?: { at: '<=' | '>='; value: number };
  /** How it was measured, or the figures behind it. */
  note?: string;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** @param percent of the numbers that are at most this. */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)]!;
}

export const least = (numbers: readonly number[]): number => Math.min(...numbers);

/** Clock ticks per second of /proc: 100 on every Linux that Node runs on. Source: proc(5), sysconf(_SC_CLK_TCK). */
const TICKS = 100;

/** CPU time in ms that a process has used so far, in user and system mode. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

/** Proportional set size in MiB: pages that processes share are counted once among them. */
export function pssMib(pid: number): number {
  const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

function verdict({ value, budget }: Figure): string {
  if (budget === undefined) return '';
  const within = budget.at === '<=' ? value <= budget.value : value >= budget.value;
  return within ? 'within' : 'OVER';
}

function rounded(value: number): string {
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3);
}

/** Prints the table, and writes it as JSON when a file is named. Never judges by its exit status: machines differ. */
export function report(title: string, figures: readonly Figure[], out: string | undefined): void {
  console.log(`\n${title} (${cpus().length} CPUs ${cpus()[0]?.model ?? ''}, Linux ${release()})\n`);
  console.log(`${'figure'.padEnd(46)} ${'measured'.padStart(10)} ${'unit'.padEnd(10)} ${'budget'.padStart(10)}  ${''.padEnd(7)} note`);
  for (const figure of figures) {
    const budget = figure.budget === undefined ? '' : `${figure.budget.at} ${figure.budget.value}`;
    console.log(`${figure.name.padEnd(46)} ${rounded(figure.value).padStart(10)} ${figure.unit.padEnd(10)} ${budget.padStart(10)}  ${verdict(figure).padEnd(7)} ${figure.note ?? ''}`.trimEnd());
  }
  if (out === undefined) return;
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, memory_mib: Math.round(totalmem() / 1048576), kernel: release(), node: process.version };
  writeFileSync(out, `${JSON.stringify({ title, at: new Date().toISOString(), machine, figures }, null, 2)}\n`);
}

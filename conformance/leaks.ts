/**
 * Compares what a cloud has in its rows with what Docker and the kernel of this machine hold, and names what is on one side only.
 * `node conformance/leaks.ts --data-dir DIR [--settle SECONDS] [-o json]`: exit status 1 when anything is left over.
 * For one node; the cloud should be at rest, or be given time to settle.
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings, type Settings } from '../src/cli/settings.ts';
import { observeHost, type HostView } from './leaks/host.ts';
import { readRows, type RowView } from './leaks/rows.ts';
import { compareQuotas } from './leaks/quotas.ts';
import { compareRows } from './leaks/compare-rows.ts';
import { compareHost } from './leaks/compare-host.ts';

export interface Leak {
  /** Where the thing is that the other side knows nothing of. */
  side: 'rows' | 'docker' | 'kernel' | 'files';
  kind: string;
  id: string;
  detail: string;
}

/** @returns what is left over on either side; empty when all agrees. */
export async function findLeaks(settings: Settings): Promise<Leak[]> {
  const { rows, host } = await look(settings);
  return [...compareRows(rows), ...compareHost(rows, host), ...(await compareQuotas(settings, rows))];
}

/** Looks again until nothing is left over: hosts converge. @returns the last look's leaks. */
export async function settledLeaks(settings: Settings, timeout_ms: number): Promise<Leak[]> {
  const end = performance.now() + timeout_ms;
  for (;;) {
    const leaks = await findLeaks(settings);
    if (leaks.length === 0 || performance.now() > end) return leaks;
    await sleep(500);
  }
}

async function look(settings: Settings): Promise<{ rows: RowView; host: HostView }> {
  return { rows: await readRows(settings.config.database.url), host: await observeHost(settings) };
}

export function describeLeaks(leaks: readonly Leak[]): string {
  return leaks.map(({ side, kind, id, detail }) => `${side.padEnd(7)} ${kind.padEnd(24)} ${id.padEnd(38)} ${detail}`).join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { 'data-dir': { type: 'string' }, settle: { type: 'string', default: '0' }, output: { type: 'string', short: 'o' } } });
  if (values['data-dir'] === undefined) {
    console.error('usage: node conformance/leaks.ts --data-dir DIR [--settle SECONDS] [-o json]');
    return 2;
  }
  const settings = readSettings({ dataDir: values['data-dir'] });
  if (!settings.exists) {
    console.error(`there is no cloud in ${settings.data_dir}`);
    return 2;
  }
  const leaks = await settledLeaks(settings, Number(values.settle) * 1000);
  if (values.output === 'json') console.log(JSON.stringify(leaks, null, 2));
  else console.log(leaks.length === 0 ? 'nothing is left over' : describeLeaks(leaks));
  return leaks.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();

/**
 * `./gantry test`: everything that has to hold, from a bare machine: types, lint, dead code, then all tests on SQLite and
 * PostgreSQL, with real Docker and real namespaces. Installs what is missing. `./gantry test NAME…` runs the named parts.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { prepareMachine } from './support/machine.ts';
import { startPostgres } from './support/postgres.ts';

const root = resolve(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Part {
  name: string;
  /** Needs root, Docker and namespaces. */
  real?: boolean;
  run(): Promise<Counts>;
}

/** A program that passes or fails as a whole. */
function check(name: string, command: string[]): Part {
  return { name, run: async () => ((await start(command, {})) ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 }) };
}

function tests(name: string, patterns: string[], options: { env?: Record<string, string>; real?: boolean; concurrency?: number } = {}): Part {
  return { name, real: options.real ?? false, run: () => runTests(patterns, options.env ?? {}, options.concurrency ?? 2) };
}

async function runTests(patterns: string[], env: Record<string, string>, concurrency: number): Promise<Counts> {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
  if (files.length === 0) throw new Error(`no test matches ${patterns.join(' ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'gantry-count-'));
  const counts = join(folder, 'counts.json');
  const reporter = join(root, 'test', 'support', 'count-reporter.ts');
  const args = [
    '--test', `--test-concurrency=${concurrency}`, '--test-timeout=300000', '--test-reporter=spec', '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`, `--test-reporter-destination=${counts}`, ...files,
  ];
  const ok = await start([process.execPath, ...args], env);
  try {
    const found = JSON.parse(readFileSync(counts, 'utf8')) as Counts;
    return ok || found.failed > 0 ? found : { ...found, failed: 1 };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One PostgreSQL server for all test processes. */
async function runOnPostgres(patterns: string[]): Promise<Counts> {
  const server = await startPostgres();
  try {
    return await runTests(patterns, { GANTRY_TEST_DATABASE: 'postgres', GANTRY_TEST_POSTGRES_URL: server.url }, 2);
  } finally {
    await server.stop();
  }
}

/** On SQLite, with every statement explained: one that would read a growing table whole counts as a failed test. */
async function runExplained(patterns: string[]): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-explain-'));
  const findings = join(folder, 'findings');
  writeFileSync(findings, '');
  const preload = join(root, 'test', 'support', 'explain.ts');
  const counts = await runTests(patterns, { GANTRY_TEST_DATABASE: 'sqlite', GANTRY_EXPLAIN_FILE: findings, NODE_OPTIONS: `--import=${preload}` }, 2);
  const scans = [...new Set(readFileSync(findings, 'utf8').split('\n').filter((line) => line !== ''))];
  rmSync(folder, { recursive: true, force: true });
  for (const scan of scans) console.log(`full scan: ${scan}`);
  return scans.length === 0 ? { ...counts, passed: counts.passed + 1 } : { ...counts, failed: counts.failed + 1 };
}

function start(command: string[], env: Record<string, string>): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(command[0]!, command.slice(1), { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', () => done(false));
    child.on('exit', (code) => done(code === 0));
  });
}

const DATABASE_TESTS = ['test/kernel/db/**/*.test.ts', 'test/tasks/**/*.test.ts', 'test/api/**/*.test.ts'];

const parts: Part[] = [
  check('types', [process.execPath, bin('tsc'), '--noEmit']),
  check('lint', [bin('oxlint'), '--type-aware', '--quiet']),
  check('dead-code', [process.execPath, bin('knip')]),
  tests('surface', ['test/surface/**/*.test.ts']),
  tests('kernel', ['test/kernel/**/*.test.ts', 'test/model/**/*.test.ts', 'test/services/**/*.test.ts', 'test/agents/**/*.test.ts', 'test/cli/**/*.test.ts']),
  { name: 'sqlite', run: () => runExplained(DATABASE_TESTS) },
  { name: 'postgres', run: () => runOnPostgres(DATABASE_TESTS) },
  tests('real', ['test/real/**/*.test.ts'], { real: true, concurrency: 1 }),
];

async function main(names: string[]): Promise<number> {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    console.error(`There is no part ${unknown.join(', ')}. Parts: ${parts.map((part) => part.name).join(', ')}`);
    return 2;
  }
  const chosen = parts.filter((part) => names.length === 0 || names.includes(part.name));
  const machine = await prepareMachine({ engine: chosen.some((part) => part.real) });
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const part of chosen) {
      const began = performance.now();
      console.log(`\n== ${part.name}`);
      const counts = await part.run();
      for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
      console.log(`== ${part.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, ${Math.round((performance.now() - began) / 1000)} s`);
    }
  } finally {
    await machine.release();
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2).filter((word) => !word.startsWith('--')));

/**
 * Runs a part of the conformance kit against a cloud that is started for it and removed afterwards.
 * `conformance/sample PATH_TO_KIT [--max-minutes 12] [--regex R] [--concurrency 2] [--out DIR]`: exit status 0 when every failure (but one in a hundred tests) is one
 * that known-failures.txt or disagreements.txt lists.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildGuestImage } from '../src/cli/guest-image.ts';
import { prepareMachine } from '../test/support/machine.ts';
import { startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { makeFlavor, makeImage, makePublicNetwork } from '../test/support/real-cloud-world.ts';
import { judge, readKnown, type Summary } from './known-failures.ts';

/** Debian 12's packages with Tempest and its plugins, as the kit's README lists them. */
const PACKAGES = [
  'tempest', 'python3-tempest', 'keystone-tempest-plugin', 'glance-tempest-plugin', 'cinder-tempest-plugin', 'neutron-tempest-plugin', 'heat-tempest-plugin',
  'telemetry-tempest-plugin', 'python3-openstackclient', 'python3-heatclient', 'python3-swiftclient', 'python3-cinderclient', 'python3-neutronclient', 'iputils-ping', 'ncat',
];

/** What is on offer: identity, images, servers with their flavors, keys, limits and quotas, networks, ports, security groups. */
const AREAS = [
  'identity\\.(v3|admin\\.v3)',
  'image\\.v2',
  'compute\\.(servers|flavors|keypairs|limits|quotas)',
  'compute\\.admin\\.test_(flavors|quotas|keypairs)',
  'network\\.test_(networks|ports|security_groups)',
];
const REGEX = `tempest\\.api\\.(${AREAS.join('|')})`;

/** It waits three minutes for what is not on offer. */
const EXCLUDE = 'test_rebuild_server_in_stop_state';

/** A busy machine lets a test in a hundred run out of its time; each is named, and more than that is a regression. */
const TIMED_OUT = 0.01;

/** The tests make many servers that do little. */
const TOML = '[compute]\ncpu_allocation_ratio = 64\nshutdown_timeout = 5\n\n[identity]\npassword_cost = 8\n';

interface Options {
  kit: string;
  minutes: number;
  regex: string;
  concurrency: string;
  out: string;
}

function installPackages(): void {
  const missing = PACKAGES.filter((name) => !spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' }).stdout.includes('ok installed'));
  if (missing.length === 0) return;
  console.log(`installing ${missing.join(' ')}`);
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}

function apt(...args: string[]): void {
  const { status } = spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
}

/** What the kit expects to find: two images, two flavors, an external network. */
async function furnish({ admin }: RealCloud): Promise<void> {
  const image = buildGuestImage();
  for (const name of ['hello', 'hello-again']) await makeImage(admin, name, image);
  await makeFlavor(admin, 'kit.small', { ram: 64, disk: 1 });
  await makeFlavor(admin, 'kit.large', { ram: 128, disk: 1 });
  await makePublicNetwork(admin, '10.10.76');
}

function runKit(cloud: RealCloud, { kit, minutes, regex, concurrency, out }: Options): Summary {
  const args = ['--strict', '--no-validation', '--regex', regex, '--exclude', EXCLUDE, '--concurrency', concurrency, '--max-minutes', String(minutes), '--out', out];
  const { status } = spawnSync(join(kit, 'run'), args, { stdio: ['ignore', 'inherit', 'inherit'], env: cloud.env, cwd: cloud.data_dir, timeout: (minutes + 3) * 60_000, killSignal: 'SIGINT' });
  const file = join(out, 'summary.json');
  if (!existsSync(file)) throw new Error(`the kit ended with status ${status} and no summary`);
  return JSON.parse(readFileSync(file, 'utf8')) as Summary;
}

function tell(summary: Summary): boolean {
  const verdict = judge(summary, readKnown(join(import.meta.dirname, 'known-failures.txt')));
  const disagreements = readKnown(join(import.meta.dirname, 'disagreements.txt'));
  const unknown = verdict.unknown.filter((test) => !disagreements.some(({ regex: one }) => one.test(test)));
  const { totals } = summary;
  console.log(`\n${totals.passed} passed, ${totals.failed} failed (${verdict.known.length} of them known, ${verdict.unknown.length - unknown.length} as in today's OpenStack), ${totals.skipped} skipped, ${totals.not_run} not run, ${Math.round(summary.seconds)} s`);
  for (const { regex, reason } of verdict.stale) console.log(`no longer fails, take it off the list: ${regex} (${reason})`);
  for (const test of unknown) console.log(`FAILED, and not known to: ${test}`);
  if (totals.passed === 0) console.log('nothing passed');
  return totals.passed > 0 && unknown.length <= totals.passed * TIMED_OUT;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'max-minutes': { type: 'string', default: '12' }, regex: { type: 'string', default: REGEX }, concurrency: { type: 'string', default: '2' }, out: { type: 'string' } },
  });
  const [kit] = positionals;
  if (kit === undefined || !existsSync(join(kit, 'run'))) {
    console.error('usage: conformance/sample PATH_TO_KIT [--max-minutes 12] [--regex R] [--concurrency 2] [--out DIR]');
    return 2;
  }
  const out = values.out === undefined ? mkdtempSync(join(tmpdir(), 'gantry-kit-')) : resolve(values.out);
  const machine = await prepareMachine({ engine: true });
  try {
    installPackages();
    const cloud = await startRealCloud({ name: 'gtkit', toml: TOML });
    try {
      await furnish(cloud);
      const summary = runKit(cloud, { kit: resolve(kit), minutes: Number(values['max-minutes']), regex: values.regex, concurrency: values.concurrency, out });
      return tell(summary) ? 0 : 1;
    } finally {
      await cloud.stop();
    }
  } finally {
    await machine.release();
    if (values.out === undefined) rmSync(out, { recursive: true, force: true });
  }
}

process.exitCode = await main();

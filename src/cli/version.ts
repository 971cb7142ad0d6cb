import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { hostProbes } from './doctor/probes.ts';
import type { Settings } from './settings.ts';

/** Versions of everything that matters in a report. */
export async function version(settings: Settings, json: boolean): Promise<string[]> {
  const probes = hostProbes();
  const manifest = JSON.parse(readFileSync(join(settings.checkout, 'package.json'), 'utf8')) as { version: string };
  const engine = await probes.engine(settings.config.agent.docker_socket);
  const system = /^PRETTY_NAME="?([^"\n]+)/m.exec(probes.readText('/etc/os-release') ?? '')?.[1] ?? process.platform;
  const facts = {
    gantry: manifest.version,
    commit: commitOf(settings.checkout),
    node: process.versions.node,
    docker: 'error' in engine ? 'no answer' : engine.version,
    kernel: release(),
    system,
  };
  return json ? [JSON.stringify(facts, null, 2)] : Object.entries(facts).map(([name, value]) => `${name.padEnd(7)} ${value}`);
}

/** The checked-out commit, where this is a git checkout. */
function commitOf(checkout: string): string {
  const done = hostProbes().run('git', ['-c', `safe.directory=${checkout}`, '-C', checkout, 'rev-parse', '--short', 'HEAD']);
  return done.status === 0 ? done.stdout.trim() : (headOf(join(checkout, '.git')) ?? 'unknown');
}

/** The same where git is not installed. */
function headOf(folder: string): string | undefined {
  const read = hostProbes().readText;
  const head = read(join(folder, 'HEAD'))?.trim();
  const name = /^ref: (\S+)$/.exec(head ?? '')?.[1];
  const packed = name === undefined ? undefined : new RegExp(`^([0-9a-f]{40}) ${name}$`, 'm').exec(read(join(folder, 'packed-refs')) ?? '')?.[1];
  const commit = name === undefined ? head : (read(join(folder, name))?.trim() ?? packed);
  return commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit.slice(0, 7) : undefined;
}

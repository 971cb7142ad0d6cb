import { existsSync, readdirSync } from 'node:fs';
import { CliError } from './errors.ts';
import type { Settings } from './settings.ts';

/** All that Gantry puts into a data directory by itself; whatever else is there belongs to others (`policy.yaml`: to the operator). */
export const OWN_ENTRIES: readonly string[] = [
  'agent', 'cache', 'controller', 'engine', 'gantry.toml', 'gantry.toml.new', 'gantry.toml.used', 'gantry.toml.used.new', 'log', 'resume.json', 'resume.json.new', 'run', 'secrets', 'world.json', 'world.json.new',
];

/** What lies in the folder that `down --purge` would not take along. */
export function foreignEntries(data_dir: string): string[] {
  return existsSync(data_dir) ? readdirSync(data_dir).filter((name) => !OWN_ENTRIES.includes(name)) : [];
}

/** A new cloud does not move in with somebody else. @throws CliError */
export function refuseForeignFolder({ data_dir, exists }: Settings): void {
  const others = exists ? [] : foreignEntries(data_dir).filter((name) => name !== 'policy.yaml');
  if (others.length === 0) return;
  throw new CliError('GY-DATA-002', `${data_dir} holds other things than a cloud (${others.slice(0, 3).join(', ')}${others.length > 3 ? ' …' : ''})`, { next: 'name an empty or new folder with --data-dir' });
}

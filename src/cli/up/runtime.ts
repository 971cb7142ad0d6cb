import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import type { Settings } from '../settings.ts';

/** Where the engine finds Gantry's runtime: one for all clouds of a host. */
export const LIB_DIR = '/usr/local/lib/gantry';
export const RUNTIME_PATH = join(LIB_DIR, 'gantry-runc');

/** Notes of who uses the runtime, so that the last one that leaves can take it along. */
const usersDir = (lib: string): string => join(lib, 'clouds');
/** One file per cloud of this host. */
export const CLOUD_NOTES = usersDir(LIB_DIR);
/** Holds the data directory of the cloud of this name. */
export const cloudNote = (name: string, lib = LIB_DIR): string => join(usersDir(lib), name);
const installedMark = (lib: string): string => join(lib, 'installed-by-up');

/** Puts the runtime into place and notes that this cloud uses it. */
export function installRuntime(settings: Settings, lib = LIB_DIR): string {
  const source = join(settings.checkout, 'libexec', 'gantry-runc');
  if (!existsSync(source)) throw new CliError('GY-RUNTIME-001', `${source} is missing`, { next: 'restore the checkout (git status shows what is missing)' });
  const target = join(lib, 'gantry-runc');
  const fresh = !existsSync(target);
  mkdirSync(usersDir(lib), { recursive: true, mode: 0o755 });
  writeFileSync(cloudNote(settings.config.cloud.name, lib), `${settings.data_dir}\n`);
  if (!fresh && readFileSync(target).equals(readFileSync(source))) return 'in place';
  copyFileSync(source, `${target}.new`);
  chmodSync(`${target}.new`, 0o755);
  renameSync(`${target}.new`, target);
  if (fresh) writeFileSync(installedMark(lib), '');
  return fresh ? 'installed' : 'renewed';
}

/** Data directories of the other clouds of this host that are still there. */
export function otherClouds(name: string, lib = LIB_DIR): string[] {
  if (!existsSync(usersDir(lib))) return [];
  return readdirSync(usersDir(lib)).filter((cloud) => cloud !== name).map((cloud) => readFileSync(join(usersDir(lib), cloud), 'utf8').trim()).filter((folder) => existsSync(folder));
}

/** Under which name a data directory is noted, the other way round. */
export function nameOfCloud(data_dir: string, lib = LIB_DIR): string | undefined {
  return namesOf(data_dir, lib)[0];
}

/** Under which names this folder is noted: one, unless its file was changed since. */
function namesOf(data_dir: string, lib: string): string[] {
  if (!existsSync(usersDir(lib)) || !existsSync(data_dir)) return [];
  return readdirSync(usersDir(lib)).filter((name) => {
    const owner = readFileSync(cloudNote(name, lib), 'utf8').trim();
    return existsSync(owner) && realpathSync(owner) === realpathSync(data_dir);
  });
}

/** Namespaces, links and containers bear the cloud's name: two folders with the same one would remove each other's. */
export function refuseNamesake(name: string, data_dir: string, command: string, lib = LIB_DIR): void {
  const pinned = namesOf(data_dir, lib).find((other) => other !== name);
  if (pinned !== undefined) throw new CliError('GY-CLOUD-004', `the cloud in ${data_dir} is named ${pinned}, not ${name}: its namespaces and containers bear that name`, { next: `set name = "${pinned}" under [cloud] in its gantry.toml again` });
  const note = cloudNote(name, lib);
  if (!existsSync(note)) return;
  const owner = readFileSync(note, 'utf8').trim();
  if (!existsSync(join(owner, 'gantry.toml')) || (existsSync(data_dir) && realpathSync(owner) === realpathSync(data_dir))) return;
  throw new CliError('GY-CLOUD-003', `the cloud named ${name} on this host is kept in ${owner}, not in ${data_dir}`, { next: `./gantry ${command} --data-dir ${owner}   (or name another --name)` });
}

/** Takes this cloud's note away, and the runtime with the last one if `up` had installed it. @returns what was removed. */
export function removeRuntime(name: string, lib = LIB_DIR): string[] {
  if (!existsSync(lib)) return [];
  const removed: string[] = [];
  rmSync(join(usersDir(lib), name), { force: true });
  if (otherClouds(name, lib).length > 0) return removed;
  if (existsSync(installedMark(lib))) {
    for (const file of [join(lib, 'gantry-runc'), installedMark(lib)]) rmSync(file, { force: true });
    removed.push(join(lib, 'gantry-runc'));
  }
  rmSync(usersDir(lib), { recursive: true, force: true });
  if (readdirSync(lib).length === 0 && removed.length > 0) rmdirSync(lib);
  return removed;
}

import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { password } from '../kernel/ids.ts';
import type { Settings } from './settings.ts';
import type { Credentials } from './api.ts';
import { CliError } from './errors.ts';

export type User = 'admin' | 'demo';

export const secretPath = (data_dir: string, name: string): string => join(data_dir, 'secrets', name);

/** Makes the data directory and its generated secrets; what is there stays. `root` hands the controller its parts. */
export function prepareDataDir(settings: Settings): void {
  const { data_dir, config } = settings;
  const root = process.getuid?.() === 0;
  const give = (path: string): void => {
    if (root) chownSync(path, config.controller.uid, config.controller.gid);
  };
  // Others may pass (the controller is one of them) but see no list.
  for (const folder of ['', 'run', 'secrets']) makeFolder(join(data_dir, folder), 0o711);
  for (const folder of ['log', 'agent', 'cache']) makeFolder(join(data_dir, folder), 0o700);
  for (const folder of ['controller', 'secrets/fernet-keys', 'secrets/credential-keys', 'secrets/registry-keys', 'secrets/ssh-keys']) {
    makeFolder(join(data_dir, folder), 0o700);
    give(join(data_dir, folder));
  }
  give(ensureSecret(config.controller.admin_password_file, () => password()));
  give(ensureSecret(config.agent.join_token_file, () => password(40)));
  ensureSecret(secretPath(data_dir, 'demo-password'), () => password());
}

function makeFolder(path: string, mode: number): void {
  if (!existsSync(path)) mkdirSync(path, { recursive: true, mode });
}

function ensureSecret(path: string, make: () => string): string {
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, `${make()}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return path;
}

/** Credentials of the ready-made users. @throws CliError when there is no cloud here, or when they may not be read. */
export function credentialsOf(settings: Settings, user: User): Credentials {
  const { config, data_dir } = settings;
  const path = user === 'admin' ? config.controller.admin_password_file : secretPath(data_dir, 'demo-password');
  return { auth_url: `${config.api.public_url}/identity/v3`, username: user, password: readSecret(path, settings), project: user, region: config.cloud.region };
}

function readSecret(path: string, settings: Settings): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw new CliError('GY-CLOUD-002', `the passwords in ${settings.data_dir} are readable for their owner only`, { next: 'run the command as root (sudo)' });
    throw new CliError('GY-CLOUD-001', `there is no cloud in ${settings.data_dir}`, { next: './gantry up, or name the folder with --data-dir' });
  }
}

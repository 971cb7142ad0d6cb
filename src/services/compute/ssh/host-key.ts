import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** By which clients know the gateway again; made when missing. @param generate gives it in OpenSSH's format. */
export function hostKey(path: string, generate: () => string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, generate(), { mode: 0o600, flag: 'wx' });
  return readFileSync(path, 'utf8');
}

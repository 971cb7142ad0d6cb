/**
 * A folder of Fernet keys, laid out as keystone's: files named by number; the highest is the primary, which makes tokens;
 * 0 is staged and becomes the next primary; the others still read older tokens.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decrypt, encrypt, generateFernetKey, parseFernetKey, type FernetKey } from './fernet.ts';

export interface KeyRing {
  encrypt(payload: Buffer, seconds: number): string;
  decrypt(text: string): Buffer | undefined;
  /** A hash that tells the key apart with which the next text will be encrypted. */
  primary(): string;
  /** Reads the folder again if it has changed. */
  reload(): void;
}

/** Opens the folder, with a first staged and a first primary key if it holds none. */
export function openKeyRing(directory: string): KeyRing {
  if (numbers(directory).length === 0) createKeys(directory);
  let stamp = modified(directory);
  let keys = readKeys(directory);
  const reload = (): boolean => {
    const now = modified(directory);
    if (now === stamp) return false;
    keys = readKeys(directory);
    stamp = now;
    return true;
  };
  return {
    encrypt: (payload, seconds) => encrypt(keys[0] as FernetKey, payload, seconds),
    decrypt(text) {
      const payload = decrypt(keys, text);
      // Another controller may have rotated the keys since.
      return payload === undefined && reload() ? decrypt(keys, text) : payload;
    },
    primary: () => fingerprint(keys[0] as FernetKey),
    reload: () => void reload(),
  };
}

function fingerprint({ signing, encryption }: FernetKey): string {
  return createHash('sha256').update(signing).update(encryption).digest('hex');
}

/** The staged key becomes primary, a new one is staged, and of the oldest only as many stay as `max_active_keys` allows. */
export function rotateKeys(directory: string, max_active_keys: number): void {
  if (numbers(directory).length === 0) createKeys(directory);
  const primary = Math.max(...numbers(directory)) + 1;
  renameSync(join(directory, '0'), join(directory, String(primary)));
  writeKey(directory, 0);
  const old = numbers(directory).filter((number) => number !== 0 && number !== primary).sort((a, b) => a - b);
  const surplus = Math.max(0, old.length + 2 - Math.max(max_active_keys, 2));
  for (const number of old.slice(0, surplus)) rmSync(join(directory, String(number)));
}

function createKeys(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeKey(directory, 1);
  writeKey(directory, 0);
}

function writeKey(directory: string, number: number): void {
  const path = join(directory, String(number));
  writeFileSync(`${path}.tmp`, generateFernetKey(), { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
}

function numbers(directory: string): number[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+$/.test(name)).map(Number);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function modified(directory: string): string {
  return `${statSync(directory, { bigint: true }).mtimeNs}`;
}

/** Primary first, then from the newest to the staged one. */
function readKeys(directory: string): FernetKey[] {
  return numbers(directory)
    .sort((a, b) => b - a)
    .map((number) => parseFernetKey(readFileSync(join(directory, String(number)), 'utf8')));
}

/** When the primary key came into being, in milliseconds: what a rotation on a timer goes by. */
export function primarySince(directory: string): number {
  // The staged key is written at each rotation, so its age is that of the primary.
  return statSync(join(directory, '0')).mtimeMs;
}

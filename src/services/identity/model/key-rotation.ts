/** New keys for the secrets of users: on a timer, or when somebody puts a file `rotate` into the folder of the keys. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listSealedOtherwise, replaceSealed, SEALED, type SealedPlace } from '../store/sealed.ts';
import { primarySince, rotateKeys } from './fernet-keys.ts';
import type { Identity } from './identity.ts';

/** One staged, one primary, and the one before it for what another controller still writes with it. */
const ACTIVE_KEYS = 3;
/** Seconds in which every controller has read the keys: not before then are they rotated again. */
const SETTLED = 300;
const BATCH = 200;

/** Whether the keys of a folder are to be rotated now. */
export function isRotationDue(identity: Identity, folder: string, every: number, settled = 0): boolean {
  const age = (identity.clock.now().getTime() - primarySince(folder)) / 1000;
  const asked = existsSync(join(folder, 'rotate'));
  return age >= settled && (asked || (every > 0 && age >= every));
}

export function rotate(folder: string, active_keys: number): void {
  rotateKeys(folder, active_keys);
  rmSync(join(folder, 'rotate'), { force: true });
}

export interface Rotation {
  rotated: boolean;
  reencrypted: number;
  /** Whose key is not here: as long as there are some, no key is thrown away. */
  unreadable: number;
}

/** Brings all secrets under the primary key; only then is that one replaced, and all of them are brought under the next. */
export async function rotateCredentialKeys(identity: Identity): Promise<Rotation> {
  const { credential_keys: folder, rotate_credential_keys_every } = identity.config;
  identity.credential_keys.reload();
  const before = await reencrypt(identity);
  if (before.unreadable > 0 || !isRotationDue(identity, folder, rotate_credential_keys_every, SETTLED)) return { rotated: false, ...before };
  rotate(folder, ACTIVE_KEYS);
  identity.credential_keys.reload();
  const after = await reencrypt(identity);
  return { rotated: true, reencrypted: before.reencrypted + after.reencrypted, unreadable: after.unreadable };
}

async function reencrypt(identity: Identity): Promise<Omit<Rotation, 'rotated'>> {
  const total = { reencrypted: 0, unreadable: 0 };
  for (const place of SEALED) {
    for (;;) {
      const batch = await reencryptBatch(identity, place);
      total.reencrypted += batch.reencrypted;
      if (batch.reencrypted > 0 && batch.reencrypted + batch.unreadable === BATCH) continue;
      total.unreadable += batch.unreadable;
      break;
    }
  }
  return total;
}

async function reencryptBatch(identity: Identity, place: SealedPlace): Promise<Omit<Rotation, 'rotated'>> {
  const ring = identity.credential_keys;
  const key_hash = ring.primary();
  const rows = await listSealedOtherwise(identity.db.read, place, key_hash, BATCH);
  const seconds = Math.floor(identity.clock.now().getTime() / 1000);
  const found = rows.map((row) => ({ row, secret: ring.decrypt(row[place.secret] as string) }));
  const readable = found.filter(({ secret }) => secret !== undefined);
  if (readable.length > 0) {
    await identity.db.transaction(async (tx) => {
      for (const { row, secret } of readable) await replaceSealed(tx, place, row, ring.encrypt(secret as Buffer, seconds), key_hash);
    });
  }
  return { reencrypted: readable.length, unreadable: rows.length - readable.length };
}

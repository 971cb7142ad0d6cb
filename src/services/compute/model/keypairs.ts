import { isoMicros } from '../../../kernel/clock.ts';
import { as, asTransaction } from '../../../kernel/db/database.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { conflict, forbidden, type Fault, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { countKeypairs, deleteKeypair, findKeypair, insertKeypair, type NumberedKeypairRow } from '../store/keypairs.ts';
import { lockProject } from '../store/quota-sets.ts';
import type { ComputeTables, KeypairRow } from '../store/tables.ts';
import { fingerprintOf, generateKey, type KeyType } from './key-material.ts';
import { userQuotasOf } from './quota-sets.ts';

export async function getKeypair(deps: Pick<ComputeDeps, 'db'>, user_id: string, name: string): Promise<NumberedKeypairRow | undefined> {
  return await findKeypair(as<ComputeTables>(deps.db).read, user_id, name);
}

export function keypairNotFound(user_id: string, name: string): Fault {
  return notFound('compute.keypair-not-found', `Keypair ${name} not found for user ${user_id}`);
}

export interface NewKeypair {
  user_id: string;
  /** Whose quota of key pairs counts. */
  project_id: string | undefined;
  name: string;
  type: KeyType;
  /** Left out: one is made. */
  public_key: string | undefined;
}

/** @returns the row, and the private key that was made: it is kept nowhere. Faults: 400, 403 quota, 409 name taken. */
export async function createKeypair(deps: Pick<ComputeDeps, 'db' | 'clock' | 'config' | 'identity'>, asked: NewKeypair): Promise<{ row: NumberedKeypairRow; private_key: string | undefined }> {
  const material = await materialOf(asked);
  const { user_id, name, type } = asked;
  const row: KeypairRow = { user_id, name, type, public_key: material.public_key, fingerprint: material.fingerprint, created_at: isoMicros(deps.clock.now()) };
  try {
    return { row: await insertWithinQuota(deps, asked.project_id ?? '', row), private_key: material.private_key };
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict('compute.keypair-exists', `Key pair '${name}' already exists.`);
    throw error;
  }
}

async function materialOf(asked: NewKeypair): Promise<{ public_key: string; fingerprint: string; private_key: string | undefined }> {
  if (asked.public_key === undefined) return await generateKey(asked.type, asked.user_id);
  return { public_key: asked.public_key, fingerprint: fingerprintOf(asked.type, asked.public_key), private_key: undefined };
}

async function insertWithinQuota(deps: Pick<ComputeDeps, 'db' | 'config' | 'identity'>, project_id: string, row: KeypairRow): Promise<NumberedKeypairRow> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    // Key pairs are counted by user, whatever project they were made in.
    await lockProject(tx, `user/${row.user_id}`);
    const { key_pairs } = await userQuotasOf(tx, deps, project_id, row.user_id);
    if (key_pairs >= 0 && (await countKeypairs(tx, row.user_id)) >= key_pairs) {
      throw forbidden('compute.quota-exceeded', 'Quota exceeded, too many key pairs.');
    }
    return await insertKeypair(tx, row);
  });
}

/** @throws Fault 404 */
export async function removeKeypair(deps: Pick<ComputeDeps, 'db'>, user_id: string, name: string): Promise<void> {
  const found = await deps.db.transaction((tx) => deleteKeypair(asTransaction<ComputeTables>(tx), user_id, name));
  if (!found) throw keypairNotFound(user_id, name);
}

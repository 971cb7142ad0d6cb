/** The password that a guest has encrypted for its owner and left with its metadata service. */
import type { Kysely } from 'kysely';
import { asTransaction, type Database } from '../../../kernel/db/database.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import { deletePassword, insertPassword, passwordOf } from '../store/server-passwords.ts';
import type { ComputeTables } from '../store/tables.ts';

interface Deps {
  readonly db: Database<any>;
}

/** Of nova: four pieces of its system metadata. */
const MAX_BYTES = 4 * 255;

/** Empty when there is none. */
export async function showPassword(deps: Deps, server_id: string): Promise<string> {
  return await passwordOf(deps.db.read as Kysely<ComputeTables>, server_id);
}

/** Kept once: it is not replaced before its owner has cleared it. @throws Fault 400, 409 */
export async function leavePassword(deps: Deps, server_id: string, password: Buffer): Promise<void> {
  if (password.length > MAX_BYTES) throw badRequest('compute.password-too-long', 'Request is too large.');
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if ((await passwordOf(tx, server_id)) !== '') throw conflict('compute.password-kept', 'There is a password already.');
    await insertPassword(tx, server_id, password.toString('utf8'));
  });
}

export async function clearPassword(deps: Deps, server_id: string): Promise<void> {
  await deps.db.transaction((tx) => deletePassword(asTransaction<ComputeTables>(tx), server_id));
}

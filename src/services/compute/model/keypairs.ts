import { as } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { findKeypair } from '../store/keypairs.ts';
import type { ComputeTables, KeypairRow } from '../store/tables.ts';

export async function getKeypair(deps: Pick<ComputeDeps, 'db'>, user_id: string, name: string): Promise<KeypairRow | undefined> {
  return await findKeypair(as<ComputeTables>(deps.db).read, user_id, name);
}

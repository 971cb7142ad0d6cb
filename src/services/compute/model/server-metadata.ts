import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { lockProject } from '../store/quota-sets.ts';
import { findServer, setTags, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { checkMetadataQuota } from './create-servers.ts';
import { checkWords } from './guest-words.ts';
import { quotasOf } from './quota-sets.ts';
import { metadataOf, tagsOf } from './server-row.ts';

type Tx = Kysely<ComputeTables>;

/** Reads, changes and writes in one transaction, so that two writers do not undo each other. */
async function rewrite<T>(deps: ComputeDeps, row: ServerRow, work: (tx: Tx, now: ServerRow) => Promise<T>): Promise<T> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await lockProject(tx, row.project_id);
    const now = await findServer(tx, row.id);
    if (now === undefined || now.deleted === 1) throw conflict('compute.server-gone', `Instance ${row.id} was deleted meanwhile.`);
    return await work(tx, now);
  });
}

/** @returns the metadata as it is then. @throws Fault 403 over the quota, 400 for words that no container knows. */
export async function setMetadata(deps: ComputeDeps, row: ServerRow, change: (old: Record<string, string>) => Record<string, string>): Promise<Record<string, string>> {
  return await rewrite(deps, row, async (tx, now) => {
    const metadata = change(metadataOf(now));
    checkWords(metadata);
    const quotas = await quotasOf(tx, deps, row.project_id);
    checkMetadataQuota(quotas.metadata_items, metadata);
    await updateServer(tx, row.id, { metadata_json: JSON.stringify(metadata), updated_at: isoMicros(deps.clock.now()) });
    return metadata;
  });
}

/** @returns the tags as they are then, sorted. */
export async function changeTags(deps: ComputeDeps, row: ServerRow, change: (old: string[]) => string[]): Promise<string[]> {
  return await rewrite(deps, row, async (tx, now) => {
    const tags = [...new Set(change(tagsOf(now)))].sort();
    await updateServer(tx, row.id, { tags_json: JSON.stringify(tags), updated_at: isoMicros(deps.clock.now()) });
    await setTags(tx, row.id, tags);
    return tags;
  });
}

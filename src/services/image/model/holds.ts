/** The container form of an image outlives the image for as long as somebody holds it: servers run from it, and are made anew of it. */
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { TaskDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { findHold, putHold } from '../store/holds.ts';
import { findImage } from '../store/images.ts';
import { touchManifest } from '../store/manifests.ts';
import type { HoldRow, ImageTables } from '../store/tables.ts';

/** In the transaction that makes the holder. Faults: 404. */
export async function holdImage(deps: Pick<TaskDeps, 'clock'>, tx: Transaction<ImageTables>, holder: string, image_id: string): Promise<void> {
  const row = await findImage(tx, image_id);
  if (row === undefined) throw imageNotFound(image_id);
  await putHold(tx, { holder, image_id, manifest_digest: row.manifest_digest, system: row.system });
  // from the collector, which may have looked a moment before
  if (row.manifest_digest !== null) await touchManifest(tx, row.manifest_digest, isoMicros(deps.clock.now()));
}

/** What a holder was made of; without a hold, what the image is now. */
export async function heldForm(deps: Pick<TaskDeps, 'db'>, holder: string, image_id: string): Promise<Pick<HoldRow, 'manifest_digest' | 'system'> | undefined> {
  const hold = await findHold(deps.db.read, holder);
  return hold?.manifest_digest == null ? await findImage(deps.db.read, image_id) : hold;
}

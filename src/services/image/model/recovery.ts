/** What a crash broke off is put right before the first request. */
import type { ImageDeps } from '../deps.ts';
import { idsInStatus, moveImage, requeueSaving } from '../store/images.ts';

const AT_ONCE = 500;

/** Uploads and stagings that did not arrive begin again; the tasks of imports go on by themselves. */
export async function recoverImages(deps: Pick<ImageDeps, 'db' | 'stores' | 'staging' | 'scratch'>): Promise<void> {
  for (const id of deps.stores.ids) await deps.stores.of(id).clear();
  await deps.scratch.clear();
  await deps.staging.clearPartial();
  await deps.db.transaction((tx) => requeueSaving(tx));
  const staged = new Set(await deps.staging.list());
  for (let after = ''; ; ) {
    const uploading = await idsInStatus(deps.db.read, ['uploading', 'importing'], after, AT_ONCE);
    for (const { id, status } of uploading) {
      if (status === 'uploading' && !staged.has(id)) await deps.db.transaction((tx) => moveImage(tx, id, ['uploading'], { status: 'queued', size: null }));
      else staged.delete(id);
    }
    if (uploading.length < AT_ONCE) break;
    after = uploading.at(-1)!.id;
  }
  for (const id of staged) await deps.staging.remove(id);
}

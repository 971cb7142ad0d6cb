import { setTimeout as wait } from 'node:timers/promises';
import { isoMicros } from '../../../kernel/clock.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ImageDeps } from '../deps.ts';
import { doomBlobs, doomUnknown, forgetBlob, hasBlobRow, listDoomed } from '../store/blob-rows.ts';
import { deleteUnusedManifests } from '../store/manifests.ts';
import type { Uploads } from '../model/registry/uploads.ts';
import { deleteUnusedRecipes } from '../store/recipes.ts';
import { deleteEmptyRepositories, deleteStaleLinks } from '../store/registry/repositories.ts';
import { deleteUpload, findUpload, staleUploads } from '../store/registry/uploads.ts';

const PORTION = 200;

/**
 * Removes manifests and recipes that nobody has, then the blobs that nothing names any more, then files that no row knows.
 * What nobody names may still be about to be named: what was touched within `garbage_grace` is left alone.
 */
export function collectGarbage(deps: ImageDeps, uploads: Pick<Uploads, 'forget'>): Job {
  return defineJob({
    name: 'image.collect-garbage',
    every_seconds: deps.config.garbage_interval,
    async run() {
      const limit = new Date(deps.clock.now().getTime() - deps.config.garbage_grace * 1000);
      const before = isoMicros(limit);
      const expired = await inPortions(() => expireUploads(deps, uploads, limit));
      const links = await inPortions(() => deps.db.transaction((tx) => deleteStaleLinks(tx, before, PORTION)));
      const manifests = await inPortions(() => deps.db.transaction((tx) => deleteUnusedManifests(tx, before, PORTION)));
      const repositories = await inPortions(() => deps.db.transaction((tx) => deleteEmptyRepositories(tx, before, PORTION)));
      const recipes = await inPortions(() => deps.db.transaction((tx) => deleteUnusedRecipes(tx, before, PORTION)));
      await inPortions(async () => (await deps.db.transaction((tx) => doomBlobs(tx, before, PORTION))).length);
      const blobs = await removeDoomed(deps);
      return { expired, links, manifests, repositories, recipes, blobs, strays: await removeStrays(deps, limit) };
    },
  });
}

async function expireUploads(deps: ImageDeps, uploads: Pick<Uploads, 'forget'>, before: Date): Promise<number> {
  const stale = await staleUploads(deps.db.read, isoMicros(before), isoMicros(deps.clock.now()), PORTION);
  for (const id of stale) {
    await deps.db.transaction((tx) => deleteUpload(tx, id));
    await uploads.forget(id);
  }
  // files of sessions whose row went without them
  if (stale.length > 0) return stale.length;
  for (const id of await deps.scratch.listKept(before)) if ((await findUpload(deps.db.read, id)) === undefined) await uploads.forget(id);
  return stale.length;
}

async function inPortions(step: () => Promise<number>): Promise<number> {
  let total = 0;
  for (let done = await step(); done > 0; done = await step()) {
    total += done;
    // writers go first
    await wait(0);
  }
  return total;
}

/** The row goes after the file: a crash in between is made good by the next run. */
async function removeDoomed(deps: ImageDeps): Promise<number> {
  return inPortions(async () => {
    const doomed = await listDoomed(deps.db.read, PORTION);
    for (const digest of doomed) await removeBlob(deps, digest);
    return doomed.length;
  });
}

async function removeBlob(deps: ImageDeps, digest: string): Promise<void> {
  await deps.blobs.remove(digest);
  await deps.db.transaction((tx) => forgetBlob(tx, digest));
}

async function removeStrays(deps: ImageDeps, limit: Date): Promise<number> {
  let strays = 0;
  for await (const digest of deps.blobs.list(limit)) {
    if (await hasBlobRow(deps.db.read, digest)) continue;
    if (!(await deps.db.transaction((tx) => doomUnknown(tx, digest, isoMicros(deps.clock.now()))))) continue;
    await removeBlob(deps, digest);
    strays += 1;
  }
  return strays;
}

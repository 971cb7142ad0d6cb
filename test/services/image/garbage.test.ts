/** The collector and the writers, each stopped at every step: what is named is never lost, what is not goes in the end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../../src/kernel/clock.ts';
import { as, type Database } from '../../../src/kernel/db/database.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import type { ImageDeps } from '../../../src/services/image/deps.ts';
import { collectGarbage } from '../../../src/services/image/jobs/collect-garbage.ts';
import { keepBlob, touchBlobs } from '../../../src/services/image/model/blobs.ts';
import { createUploads } from '../../../src/services/image/model/registry/uploads.ts';
import { findBlob } from '../../../src/services/image/store/blob-rows.ts';
import { createFileBlobs } from '../../../src/services/image/store/file-blobs.ts';
import { migrations } from '../../../src/services/image/store/migrations/index.ts';
import { createScratch } from '../../../src/services/image/store/scratch.ts';
import { ensureRepository, linkBlobs, unlinkBlob } from '../../../src/services/image/store/registry/repositories.ts';
import type { ImageTables } from '../../../src/services/image/store/tables.ts';
import { freshDatabase } from '../../support/database.ts';
import { scratchDirectory } from '../../support/scratch.ts';

class Crash extends Error {}

/** Stands for a process that dies before its n-th effect, on rows or on files. */
interface World {
  deps: ImageDeps;
  folder: string;
  /** From now on, the n-th effect does not happen any more, nor any after it. */
  dieAt(n: number): void;
  /** Another process begins. */
  revive(): void;
  /** Moves the clock past the grace time. */
  age(): void;
  close(): Promise<void>;
}

async function makeWorld(): Promise<World> {
  const database = await freshDatabase(migrations);
  const folder = scratchDirectory('garbage');
  let left = Infinity;
  let now = Date.now();
  const clock: Clock = { now: () => new Date(now) };
  const effect = async <T>(work: () => Promise<T>): Promise<T> => {
    if (left <= 0) throw new Crash('dead');
    left -= 1;
    return work();
  };
  const files = createFileBlobs(folder);
  const db = as<ImageTables>(database.db);
  const dying: Database<ImageTables> = { ...db, dialect: db.dialect, read: db.read, transaction: (work) => effect(() => db.transaction(work)), close: () => db.close() };
  const blobs = { ...files, put: (digest: string, path: string) => effect(() => files.put(digest, path)), remove: (digest: string) => effect(() => files.remove(digest)) };
  const scratch = await createScratch(folder);
  const deps = { db: dying, blobs, scratch, clock, log: silentLog, config: { garbage_grace: 3600, garbage_interval: 300, max_blob_uploads: 10 } } as unknown as ImageDeps;
  return {
    deps, folder,
    dieAt: (n) => void (left = n),
    revive: () => void (left = Infinity),
    age: () => void (now += 2 * 3_600_000),
    close: () => database.close(),
  };
}

const uploads = { forget: async () => {} };
const collect = (deps: ImageDeps) => collectGarbage(deps, uploads).run({ log: silentLog, clock: deps.clock, signal: new AbortController().signal });
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A blob that a repository names. */
async function push({ deps, folder }: World, text: string): Promise<void> {
  const path = join(folder, 'incoming', `new-${text}`);
  await writeFile(path, text);
  const digest = digestOf(text);
  await keepBlob(deps, { digest, size: text.length, path });
  await deps.db.transaction(async (tx) => {
    await touchBlobs(deps, tx, [digest]);
    const repository = await ensureRepository(tx, 'p', 'r', '2026-01-01T00:00:00.000000Z');
    await linkBlobs(tx, repository.id, [digest], deps.clock.now().toISOString());
  });
}

const fileOf = ({ folder }: World, text: string): string => join(folder, 'sha256', digestOf(text).slice(0, 2), digestOf(text));

/** Rows and files say the same, and no row is between two states. */
async function checkWhole(world: World, expected: readonly string[], step: number): Promise<void> {
  const shards = await readdir(join(world.folder, 'sha256')).catch(() => [] as string[]);
  const files = (await Promise.all(shards.map((shard) => readdir(join(world.folder, 'sha256', shard))))).flat().sort();
  assert.deepEqual(files, expected.map(digestOf).sort(), `files, stopped before effect ${step}`);
  for (const text of expected) assert.ok(await findBlob(world.deps.db.read, digestOf(text)), `row of ${text}, stopped before effect ${step}`);
  const rows = await world.deps.db.read.selectFrom('image_blobs').select(['digest', 'state']).execute();
  assert.deepEqual(rows.filter(({ state }) => state !== 'present'), [], `states, stopped before effect ${step}`);
  assert.equal(rows.length, expected.length);
}

/** @returns whether it died. */
async function untilDeath(world: World, step: number, work: () => Promise<unknown>): Promise<boolean> {
  world.dieAt(step);
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return true;
  } finally {
    world.revive();
  }
}

test('a push that dies at any step leaves nothing, or can be made again', async () => {
  let died = true;
  for (let step = 0; died; step += 1) {
    const world = await makeWorld();
    died = await untilDeath(world, step, () => push(world, 'mine'));
    if (died && step % 2 === 0) await push(world, 'mine');
    const there = !died || step % 2 === 0;
    // links without a manifest end with the grace time too: named here by another push
    await collect(world.deps);
    if (there) await checkWhole(world, ['mine'], step);
    world.age();
    await collect(world.deps);
    await collect(world.deps);
    await checkWhole(world, [], step);
    await world.close();
    assert.ok(step < 20);
  }
});

test('a collection that dies at any step is made good by the next, and takes nothing that is named', async () => {
  let died = true;
  for (let step = 0; died; step += 1) {
    const world = await makeWorld();
    for (const text of ['kept', 'old']) await push(world, text);
    const repository = (await world.deps.db.read.selectFrom('image_repositories').select('id').executeTakeFirstOrThrow()).id;
    world.age();
    await world.deps.db.transaction((tx) => unlinkBlob(tx, repository, digestOf('old')));
    await world.deps.db.transaction(async (tx) => {
      await touchBlobs(world.deps, tx, [digestOf('kept')]);
      await linkBlobs(tx, repository, [digestOf('kept')], world.deps.clock.now().toISOString());
    });
    await writeFile(join(world.folder, 'stray'), 'stray');
    died = await untilDeath(world, step, () => collect(world.deps));
    assert.ok(existsSync(fileOf(world, 'kept')));
    // who pushes the same bytes while the collector is half way gets them whole
    if (step % 2 === 1) {
      if (died) await collect(world.deps);
      await push(world, 'old');
      await checkWhole(world, ['kept', 'old'], step);
    } else {
      await collect(world.deps);
      await checkWhole(world, ['kept'], step);
    }
    await world.close();
    assert.ok(step < 30);
  }
});

test('a repository to which nothing came in the end goes with its uploads', async () => {
  const world = await makeWorld();
  const { deps } = world;
  const names = async (): Promise<string[]> => (await deps.db.read.selectFrom('image_repositories').select('name').execute()).map(({ name }) => name);
  await createUploads(deps).begin({ project_id: 'p', name: 'given-up' }, 'u');
  await push(world, 'kept');
  await collect(deps);
  assert.deepEqual((await names()).sort(), ['given-up', 'r']);
  world.age();
  await push(world, 'kept');
  await collect(deps);
  assert.deepEqual(await names(), ['r']);
  await world.close();
});

/** The law of tasks on the conversion of a disk image, and what it does with nodes that cannot. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import type { ConvertedDisk, RootFacts } from '../../../src/agents/compute/protocol.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { as } from '../../../src/kernel/db/database.ts';
import { badRequest, type Fault, notImplemented } from '../../../src/kernel/fault.ts';
import { systemResolve } from '../../../src/kernel/http/outbound.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { taskMigrations } from '../../../src/kernel/task/migrations.ts';
import { createTasks } from '../../../src/kernel/task/tasks.ts';
import { type ImageConfig, ImageSection } from '../../../src/services/image/config.ts';
import type { ImageDeps, ImageNodes } from '../../../src/services/image/deps.ts';
import { receiveRoot } from '../../../src/services/image/model/conversions.ts';
import { uploadImage } from '../../../src/services/image/model/image-data.ts';
import { createImage } from '../../../src/services/image/model/images.ts';
import { openManifest } from '../../../src/services/image/model/manifests.ts';
import { createFileBlobs } from '../../../src/services/image/store/file-blobs.ts';
import { findImage } from '../../../src/services/image/store/images.ts';
import { migrations } from '../../../src/services/image/store/migrations/index.ts';
import { createScratch } from '../../../src/services/image/store/scratch.ts';
import { createStaging } from '../../../src/services/image/store/staging.ts';
import { createStores } from '../../../src/services/image/store/stores.ts';
import type { ImageRow, ImageTables } from '../../../src/services/image/store/tables.ts';
import { imageTasks } from '../../../src/services/image/tasks/index.ts';
import { freshDatabase } from '../../support/database.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { testTask, testTasks, type TaskWorld } from '../harness.ts';

const KIND = 'image.convert-disk';
const ids = { request_id: 'req-00000000-0000-4000-8000-000000000000', global_request_id: undefined };
const facts: RootFacts = { init: 'systemd', init_path: '/sbin/init', os_id: 'debian', os_version: '12', architecture: 'amd64', users: [{ name: 'root', uid: 0, gid: 0, home: '/root' }], has_ifupdown: false, has_cloud_init: true };

/** An ext4 superblock's magic, and nothing else. */
const disk = Buffer.alloc(8192);
disk.writeUInt16LE(0xef53, 1080);

interface World extends TaskWorld {
  deps: ImageDeps;
  image_id: string;
  row(): Promise<ImageRow>;
  /** Names of nodes that were asked. */
  asked: string[];
}

/** @param answers what each node says instead of converting. */
async function world(answers: (Fault | undefined)[] = [undefined]): Promise<World> {
  const database = await freshDatabase([...taskMigrations, ...migrations]);
  const directory = scratchDirectory('convert');
  const config = Value.Create(ImageSection) as ImageConfig;
  const folder = join(directory, 'blobs');
  const blobs = createFileBlobs(folder);
  const asked: string[] = [];
  const nodes = { nodes: async () => answers.map((_, at) => ({ id: `n${at}`, hostname: `n${at}`, state: 'up', disabled: false, roles: ['compute'] })), call: convert, onEvent: () => () => {} } as unknown as ImageNodes;
  const base = {
    db: as<ImageTables>(database.db), clock: systemClock, log: silentLog, config, blobs, resolve: systemResolve, limits: { limitOf: async () => undefined }, nodes,
    stores: createStores({ id: 'local', blobs, folder }, []), staging: await createStaging(join(directory, 'staging')), scratch: await createScratch(folder),
  };
  async function convert(node: string): Promise<ConvertedDisk> {
    asked.push(node);
    const answer = answers[Number(node.slice(1))];
    if (answer !== undefined) throw answer;
    const layer = await receiveRoot(base, Readable.from([Buffer.from('a root file system')], { objectMode: false }));
    return { layer, virtual_size: 8192, file_system: 'ext4', facts };
  }
  const engine = createTasks({ db: database.db, log: silentLog, clock: systemClock, exclusive: true });
  const made = imageTasks(base, engine);
  // The harness starts the task itself.
  const deps: ImageDeps = { ...base, tasks: { ...made.starter, convert: async () => {} } };
  const row = await createImage(deps, 'a'.repeat(32), { name: 'disk', container_format: 'bare', disk_format: 'raw' });
  await uploadImage(deps, row, { source: Readable.from([disk], { objectMode: false }), declared: undefined, exact: false }, ids);
  const definition = made.definitions.find(({ kind }) => kind === KIND)!;
  const current = async (): Promise<ImageRow> => (await findImage(base.db.read, row.id))!;
  return {
    db: database.db, definition, deps, image_id: row.id, asked, row: current,
    start: (tx, tasks) => tasks.start(tx, definition, { resource: `image:${row.id}:convert`, input: { image_id: row.id }, request_id: ids.request_id }),
    async snapshot() {
      const { status, digest, manifest_digest, system, virtual_size } = await current();
      return { status, digest, manifest_digest, system, virtual_size };
    },
    async expectDone() {
      const { status, conversion_state, conversion_message, manifest_digest, system, virtual_size } = await current();
      assert.deepEqual([status, conversion_state, conversion_message, virtual_size], ['active', 'done', null, 8192]);
      assert.deepEqual(JSON.parse(system!), facts);
      const manifest = await openManifest(deps, row.id);
      assert.equal(manifest?.digest, manifest_digest);
      assert.deepEqual(manifest.layers.map(({ digest, diff_id }) => diff_id === `sha256:${digest}`), [true, true]);
    },
    async expectFailed(task) {
      const { conversion_state, conversion_message } = await current();
      assert.equal(conversion_state, 'failed');
      assert.equal(conversion_message, task.error?.public ? task.error.message : 'The disk image could not be converted: an unexpected error.');
    },
    close: () => database.close(),
  };
}

testTask('convert-disk', { setup: () => world(), steps: ['convert'] });

async function run(it: World): Promise<void> {
  const tasks = testTasks(it);
  await tasks.run();
  const id = await it.db.transaction((tx) => it.start(tx, tasks));
  await tasks.whenSettled(id);
  await tasks.stop();
}

test('a node that lacks the tools is passed over; when all do, the image waits and says for what', async () => {
  const lacking = notImplemented('compute.disk-tools-missing', 'The node has no qemu-img.');
  const one = await world([lacking, undefined]);
  await run(one);
  await one.expectDone();
  await one.close();
  const none = await world([lacking, lacking]);
  await run(none);
  assert.deepEqual(new Set(none.asked), new Set(['n0', 'n1']));
  const row = await none.row();
  assert.deepEqual([row.status, row.conversion_state, row.conversion_message], ['active', 'waiting', 'The node has no qemu-img.']);
  await none.close();
});

test('what is wrong with the disk itself is for good, and no second node is asked', async () => {
  const it = await world([badRequest('compute.disk-invalid', 'It is broken.'), badRequest('compute.disk-invalid', 'It is broken.')]);
  await run(it);
  assert.equal(it.asked.length, 1);
  const row = await it.row();
  assert.deepEqual([row.conversion_state, row.conversion_message], ['failed', 'It is broken.']);
  await it.close();
});

test('without a node the image waits', async () => {
  const it = await world([]);
  await run(it);
  assert.equal((await it.row()).conversion_state, 'waiting');
  await it.close();
});

test('an image that is deleted meanwhile stays deleted', async () => {
  const it = await world();
  await it.deps.db.transaction((tx) => tx.deleteFrom('image_images').where('id', '=', it.image_id).execute());
  await run(it);
  assert.equal(await findImage(it.deps.db.read, it.image_id), undefined);
  await it.close();
});

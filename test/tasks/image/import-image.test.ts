/** The law of tasks on the import, once for each of its ways. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before } from 'node:test';
import { Value } from 'typebox/value';
import { systemClock } from '../../../src/kernel/clock.ts';
import { as } from '../../../src/kernel/db/database.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { systemResolve } from '../../../src/kernel/http/outbound.ts';
import { taskMigrations } from '../../../src/kernel/task/migrations.ts';
import { createTasks } from '../../../src/kernel/task/tasks.ts';
import { type ImageConfig, ImageSection } from '../../../src/services/image/config.ts';
import type { ImageDeps, ImportInput } from '../../../src/services/image/deps.ts';
import { newImageTask } from '../../../src/services/image/model/image-tasks.ts';
import { createImage } from '../../../src/services/image/model/images.ts';
import { openImageData, takeData } from '../../../src/services/image/model/image-data.ts';
import { createFileBlobs } from '../../../src/services/image/store/file-blobs.ts';
import { findImageTask, insertImageTask } from '../../../src/services/image/store/image-tasks.ts';
import { findImage, lockImage, updateImage } from '../../../src/services/image/store/images.ts';
import { migrations } from '../../../src/services/image/store/migrations/index.ts';
import { createScratch } from '../../../src/services/image/store/scratch.ts';
import { createStaging } from '../../../src/services/image/store/staging.ts';
import { createStores } from '../../../src/services/image/store/stores.ts';
import type { ImageTables } from '../../../src/services/image/store/tables.ts';
import { imageTasks } from '../../../src/services/image/tasks/index.ts';
import { freshDatabase } from '../../support/database.ts';
import { registryHandler, registryImage, type WebServer, webServer } from '../../support/image-import.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { testTask, type TaskWorld } from '../harness.ts';

const STEPS = ['create', 'fetch', 'store', 'finish'];
const data = randomBytes(50_000);
const asker = { project_id: 'a'.repeat(32), user_id: 'b'.repeat(32), request_id: 'req-00000000-0000-4000-8000-000000000000' };
const image = registryImage([{ hello: 'hi' }]);

let web: WebServer;
let registry: WebServer;
before(async () => {
  web = await webServer((_request, response) => void response.writeHead(200, { 'content-length': data.length }).end(data));
  registry = await webServer(registryHandler({ 'some/hello:1.0': image }));
});
after(async () => {
  await web.close();
  await registry.close();
});

interface Way {
  method: ImportInput['method'];
  uri?: () => string;
  docker?: boolean;
  /** By the older task API. */
  creates?: boolean;
}

async function makeDeps(database: Awaited<ReturnType<typeof freshDatabase>>): Promise<ImageDeps> {
  const directory = scratchDirectory('import');
  const config: ImageConfig = {
    ...(Value.Create(ImageSection) as ImageConfig), import_allowed_hosts: ['127.0.0.1'], import_allowed_ports: [web.port, registry.port], import_plain_registries: [`127.0.0.1:${registry.port}`],
  };
  const folder = join(directory, 'blobs');
  const blobs = createFileBlobs(folder);
  const base = {
    db: as<ImageTables>(database.db), clock: systemClock, log: silentLog, config, blobs, resolve: systemResolve, nodes: undefined, limits: { limitOf: async () => undefined },
    stores: createStores({ id: 'local', blobs, folder }, [`second=${join(directory, 'second')}`]), staging: await createStaging(join(directory, 'staging')),
    scratch: await createScratch(folder),
  };
  // The harness hands in an engine of its own: this one only makes the definition
  const engine = createTasks({ db: database.db, log: silentLog, clock: systemClock, exclusive: true });
  return { ...base, tasks: imageTasks(base, engine).starter };
}

/** The image as a request leaves it just before its import. */
async function prepare(deps: ImageDeps, way: Way): Promise<string> {
  const row = await createImage(deps, asker.project_id, { name: 'one', container_format: way.docker ? 'docker' : 'bare', disk_format: 'raw' });
  if (way.method === 'glance-direct') await deps.db.transaction((tx) => updateImage(tx, { ...row, status: 'uploading', size: data.length }));
  if (way.method === 'copy-image') {
    const source = join(scratchDirectory('source'), 'data');
    await writeFile(source, data);
    const facts = await takeData(deps, row, createReadStream(source), 1e9, 'local');
    await deps.db.transaction((tx) => updateImage(tx, { ...row, ...facts, status: 'active', stores: 'local' }));
  }
  return row.id;
}

async function setup(way: Way): Promise<TaskWorld> {
  const database = await freshDatabase([...taskMigrations, ...migrations]);
  const deps = await makeDeps(database);
  const image_id = way.creates ? '00000000-0000-4000-8000-00000000000a' : await prepare(deps, way);
  const { definitions } = imageTasks(deps, createTasks({ db: database.db, log: silentLog, clock: systemClock, exclusive: true }));
  const definition = definitions[0]!;
  const target = way.method === 'copy-image' ? 'second' : 'local';
  const fields = { name: 'made', container_format: 'bare', disk_format: 'raw' };
  let task_id = '';
  return {
    db: database.db,
    definition,
    async start(tx, tasks) {
      if (way.method === 'glance-direct') await deps.staging.receive(image_id, (async function* () { yield data; })(), 1e9);
      const task = newImageTask(deps, asker, way.creates ? 'import' : 'api_image_import', way.creates ? null : image_id, {});
      task_id = task.id;
      await insertImageTask(tx, task);
      const row = await lockImage(tx, image_id, task.created_at);
      if (row) await updateImage(tx, { ...row, status: way.method === 'copy-image' ? 'active' : 'importing', import_task: task_id, importing_to: target, failed_import: '' });
      const input: ImportInput = {
        task_id, image_id, method: way.method, uri: way.uri?.() ?? null, stores: [target], all_stores_must_succeed: true, create: way.creates ? { owner: asker.project_id, fields } : null,
      };
      return await tasks.start(tx, definition, { resource: `image:${image_id}`, input, request_id: asker.request_id });
    },
    // Which stores failed stays to be seen, and staged data are gone: the image can be filled anew
    async snapshot() {
      const row = await findImage(deps.db.read, image_id);
      if (!row) return { row: undefined, staged: await deps.staging.list() };
      const { status, stores, digest, manifest_digest, recipe_id, import_task, importing_to } = row;
      return { status: status === 'uploading' ? 'queued' : status, stores, digest, manifest_digest, recipe_id, import_task, importing_to: importing_to ?? '', staged: await deps.staging.list() };
    },
    async expectDone() {
      const row = (await findImage(deps.db.read, image_id))!;
      assert.deepEqual([row.status, row.import_task, row.importing_to, row.failed_import], ['active', null, '', '']);
      assert.equal(row.stores, way.method === 'copy-image' ? 'local,second' : 'local');
      if (!way.docker) assert.equal(row.size, data.length);
      assert.equal((await buffer(await openImageData(deps, row, undefined, [target]))).length, row.size);
      assert.deepEqual(await deps.staging.list(), []);
      const task = (await findImageTask(deps.db.read, task_id))!;
      assert.deepEqual([task.status, task.result], ['success', JSON.stringify({ image_id })]);
      assert.ok(task.expires_at);
    },
    async expectFailed() {
      const task = (await findImageTask(deps.db.read, task_id))!;
      assert.equal(task.status, 'failure');
      assert.notEqual(task.message, '');
      if (!way.creates) assert.equal((await findImage(deps.db.read, image_id))!.failed_import, target);
    },
    close: database.close,
  };
}

const ways: Record<string, Way> = {
  'staged data': { method: 'glance-direct' },
  'from the web': { method: 'web-download', uri: () => `http://127.0.0.1:${web.port}/image` },
  'from a registry': { method: 'web-download', uri: () => `docker://127.0.0.1:${registry.port}/some/hello:1.0`, docker: true },
  'to another store': { method: 'copy-image' },
  'as a task of the older API': { method: 'web-download', uri: () => `http://127.0.0.1:${web.port}/image`, creates: true },
};

for (const [name, way] of Object.entries(ways)) testTask(`import-image ${name}`, { setup: () => setup(way), steps: STEPS });

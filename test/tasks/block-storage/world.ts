/** A service of block storage with one node in memory, for the law of tasks. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Value } from 'typebox/value';
import { createFakeVolumeDriver, type FakeVolumeDriver } from '../../../src/agents/volume/drivers/fake/index.ts';
import { volumeHandlers } from '../../../src/agents/volume/serve.ts';
import { isoMicros, systemClock } from '../../../src/kernel/clock.ts';
import { as } from '../../../src/kernel/db/database.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { taskMigrations } from '../../../src/kernel/task/migrations.ts';
import type { Tasks } from '../../../src/kernel/task/tasks.ts';
import { BlockStorageSection, type BlockStorageConfig } from '../../../src/services/block-storage/config.ts';
import type { TaskDeps } from '../../../src/services/block-storage/deps.ts';
import { saveReport } from '../../../src/services/block-storage/model/backends.ts';
import { ensureDefaultType } from '../../../src/services/block-storage/model/types.ts';
import { createChunkStore } from '../../../src/services/block-storage/store/chunks.ts';
import { backups, snapshots, types, volumes } from '../../../src/services/block-storage/store/rows.ts';
import { migrations } from '../../../src/services/block-storage/store/migrations/index.ts';
import type { BackupRow, BlockStorageTables, SnapshotRow, VolumeRow } from '../../../src/services/block-storage/store/tables.ts';
import { blockStorageTasks } from '../../../src/services/block-storage/tasks/index.ts';
import type { WorkInputs, WorkKind } from '../../../src/services/block-storage/work.ts';
import { freshDatabase } from '../../support/database.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import type { TaskWorld } from '../harness.ts';

const ids = { request_id: 'req-00000000-0000-4000-8000-000000000000', global_request_id: undefined };
export const GIB = 2 ** 30;
export const NODE = { id: 'n1', hostname: 'node-1' };
export const VOLUME = '11111111-1111-4111-8111-111111111111';
export const SNAPSHOT = '22222222-2222-4222-8222-222222222222';
export const BACKUP = '33333333-3333-4333-8333-333333333333';

export interface VolumeWorld extends TaskWorld {
  deps: TaskDeps;
  driver: FakeVolumeDriver;
  volume(): Promise<VolumeRow | undefined>;
}

export interface WorldOptions<Kind extends WorkKind> {
  kind: Kind;
  input: WorkInputs[Kind];
  /** What is there before, beside the volume. */
  prepare(world: Pick<VolumeWorld, 'deps' | 'driver'>): Promise<void>;
  /** What the row of the volume is before. */
  volume?: Partial<VolumeRow>;
  expectDone(world: VolumeWorld): Promise<void>;
  /** What failures rightly change for good: the bytes of what is deleted. */
  withoutBytes?: boolean;
}

export async function volumeWorld<Kind extends WorkKind>(options: WorldOptions<Kind>): Promise<VolumeWorld> {
  const database = await freshDatabase([...taskMigrations, ...migrations]);
  const db = as<BlockStorageTables>(database.db);
  const chunks = createChunkStore(join(scratchDirectory('volumes'), 'backups'));
  const driver = createFakeVolumeDriver({ chunk: (chain, digest) => chunks.open(chain, digest) });
  const handlers = volumeHandlers(driver, async (path, body) => {
    const [, , , , chain = '', digest = ''] = path.split('/');
    await chunks.put(chain, digest, body as Readable);
  });
  const engineOf: { current?: Tasks } = {};
  const deps = {
    db, clock: systemClock, log: silentLog, config: Value.Create(BlockStorageSection) as BlockStorageConfig, image: undefined, chunks,
    nodes: { isConnected: () => true, call: async (_node: string, method: string, params: unknown) => await handlers[method]!(structuredClone(params)) },
    engine: { whenSettled: (id: string) => engineOf.current!.whenSettled(id), listOf: (resource: string) => engineOf.current!.listOf(resource), cancel: async () => undefined },
    keyOf: () => 'ab', extended: async () => {},
  } as unknown as TaskDeps;
  await ensureDefaultType(deps);
  await saveReport(deps, NODE, [await driver.report()]);
  const [type] = await types.all(db.read, []);
  await db.transaction((tx) => volumes.insert(tx, volumeRow({ type_id: type!.id, ...options.volume })));
  await options.prepare({ deps, driver });
  const { definitions } = blockStorageTasks(deps, {} as Tasks);
  const definition = definitions.find(({ kind }) => kind === `block-storage.${options.kind}`)!;
  const world: VolumeWorld = {
    db: database.db, deps, driver, definition,
    async start(tx, tasks) {
      engineOf.current = tasks;
      return await tasks.start(tx, definition, { resource: `test:${options.kind}`, input: options.input, ...ids });
    },
    snapshot: () => snapshotOf(deps, driver, options.withoutBytes ?? false),
    expectDone: () => options.expectDone(world),
    volume: () => volumes.find(db.read, VOLUME),
    close: () => database.close(),
  };
  return world;
}

/** Without states and times, and without messages: a failure leaves those. */
async function snapshotOf(deps: TaskDeps, driver: FakeVolumeDriver, withoutBytes: boolean): Promise<unknown> {
  const plain = <Row extends { status: string; updated_at: string | null }>({ status: _status, updated_at: _updated, ...row }: Row) => row;
  const rows = (await volumes.all(deps.db.read, [])).map(({ previous_status: _previous, ...row }) => plain(row));
  const kept = (await backups.all(deps.db.read, [])).map(({ fail_reason: _reason, ...row }) => plain(row));
  return { rows, kept, snapshots: (await snapshots.all(deps.db.read, [])).map(plain), ...(withoutBytes ? {} : { node: await driver.list() }) };
}

function volumeRow(over: Partial<VolumeRow>): VolumeRow {
  return {
    id: VOLUME, project_id: 'p1', user_id: 'u1', name: 'data', description: null, size: 1, status: 'available', previous_status: null, attach_status: 'detached', migration_status: null,
    bootable: 0, multiattach: 0, encrypted: 0, read_only: 0, type_id: '', snapshot_id: null, source_volid: null, group_id: null, availability_zone: 'nova', host: null, node_id: null,
    encryption_key_id: null, metadata_json: '{}', image_metadata_json: null, launched_at: null, created_at: isoMicros(systemClock.now()), updated_at: null, ...over,
  };
}

export const there = { host: 'node-1@fake#fake', node_id: NODE.id };

export async function onNode({ driver }: Pick<VolumeWorld, 'driver'>): Promise<void> {
  await driver.create({ volume_id: VOLUME, size_bytes: GIB, source: { kind: 'blank' } });
  driver.write(VOLUME, 0, Buffer.from('what was written'));
}

export async function addSnapshotRow({ deps }: Pick<VolumeWorld, 'deps'>, over: Partial<SnapshotRow> = {}): Promise<void> {
  await deps.db.transaction((tx) => snapshots.insert(tx, {
    id: SNAPSHOT, project_id: 'p1', user_id: 'u1', name: null, description: null, volume_id: VOLUME, volume_size: 1, status: 'creating', progress: '0%', metadata_json: '{}',
    group_snapshot_id: null, created_at: isoMicros(systemClock.now()), updated_at: null, ...over,
  }));
}

export async function addBackupRow({ deps }: Pick<VolumeWorld, 'deps'>, over: Partial<BackupRow> = {}): Promise<void> {
  const now = isoMicros(systemClock.now());
  await deps.db.transaction((tx) => backups.insert(tx, {
    id: BACKUP, project_id: 'p1', user_id: 'u1', name: null, description: null, volume_id: VOLUME, snapshot_id: null, parent_id: null, container: BACKUP, availability_zone: null, status: 'creating', fail_reason: null,
    size: 1, object_count: 0, is_incremental: 0, restore_volume_id: null, data_timestamp: now, metadata_json: '{}', chunks_json: '[]', created_at: now, updated_at: null, ...over,
  }));
}

export async function firstBytes(driver: FakeVolumeDriver, length: number): Promise<string> {
  for await (const part of driver.read(VOLUME)) return part.subarray(0, length).toString();
  return '';
}

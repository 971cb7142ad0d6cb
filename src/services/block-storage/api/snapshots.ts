import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { invalidSnapshot, snapshotNotFound, volumeNotFound } from '../faults.ts';
import { addSnapshot, dropSnapshot } from '../model/snapshots.ts';
import { mine } from '../model/volumes.ts';
import { snapshots, volumes } from '../store/rows.ts';
import type { SnapshotRow } from '../store/tables.ts';
import { ADMIN, MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, clean, ids, instant, json, listed, looseBoolean, nullableMetadata, nullableText, owned, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const fields = {
  id: Type.String(), group_snapshot_id: Type.Optional(since(versions.GROUP_SNAPSHOTS, nullableText)), user_id: Type.Optional(since(versions.SNAPSHOT_USER, Type.String())),
  consumes_quota: Type.Optional(since(versions.CONSUMES_QUOTA, Type.Boolean())),
};

const summary = (row: SnapshotRow) => ({
  id: row.id, name: row.name, description: row.description, volume_id: row.volume_id, status: row.status, size: row.volume_size, metadata: json(row.metadata_json),
  created_at: instant(row.created_at), updated_at: instant(row.updated_at), user_id: row.user_id, consumes_quota: true,
});

const view = (row: SnapshotRow) => ({
  ...summary(row), 'os-extended-snapshot-attributes:progress': row.progress, 'os-extended-snapshot-attributes:project_id': row.project_id, group_snapshot_id: row.group_snapshot_id,
});

const listing: ListingRules = {
  strict: true,
  filters: {
    name: { column: 'name', kind: 'text' }, status: { column: 'status', kind: 'text' }, volume_id: { column: 'volume_id', kind: 'text' }, metadata: { column: 'metadata_json', kind: 'pairs', since: versions.SNAPSHOT_LIST_METADATA },
    id: { column: 'id', kind: 'text' }, display_name: { column: 'name', kind: 'text', admin: true }, user_id: { column: 'user_id', kind: 'text', admin: true },
  },
  sort: { name: 'name', display_name: 'name', status: 'status', volume_id: 'volume_id', volume_size: 'volume_size', updated_at: 'updated_at' },
};

const texts = { name: Type.Optional(nullableText), description: Type.Optional(nullableText), display_name: Type.Optional(nullableText), display_description: Type.Optional(nullableText) };

/** Without force only volumes that nobody uses, until 3.66. @throws Fault 400 */
function forced(call: Pick<Call, 'version'>, force: boolean | string | number | undefined): boolean {
  if (call.version < versions.SNAPSHOT_IN_USE) return asBoolean(force);
  if (force !== undefined && !asBoolean(force)) throw badRequest('block-storage.force-gone', "Invalid value 'False' for 'force': The 'force' parameter is not supported since microversion 3.66.");
  return true;
}

const crud = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, snapshots, snapshotNotFound);
  return [
    ...(['', '/detail'] as const).map((path) => endpoint({
      id: `snapshots:list${path}`, method: 'GET', path: `/v3/snapshots${path}`, summary: 'List snapshots', policy: 'volume:get_all_snapshots', status: 200, reply: listed('snapshots', fields),
      async handler(call) {
        const page = await readPage(readerOf(deps), snapshots, call, readListing(call, deps.config, listing), 'snapshots');
        return { snapshots: page.rows.map(path === '' ? summary : view), ...page.more };
      },
    })),
    endpoint({
      id: 'snapshots:create', method: 'POST', path: '/v3/snapshots', summary: 'Take a snapshot of a volume', policy: 'volume:create_snapshot', status: 202, reply: shown('snapshot', fields),
      body: wrapped('snapshot', Type.Object({ ...texts, volume_id: nullableText, force: Type.Optional(looseBoolean), metadata: Type.Optional(nullableMetadata) }, { additionalProperties: true })),
      async handler(call) {
        const asked = call.body.snapshot;
        const volume = await volumes.find(readerOf(deps), asked.volume_id ?? '');
        if (volume === undefined || !mine(call.auth, volume)) throw volumeNotFound(asked.volume_id ?? 'None');
        const wanted = { volume_id: volume.id, name: clean(asked.name ?? asked.display_name), description: clean(asked.description ?? asked.display_description), metadata: asked.metadata ?? {}, force: forced(call, asked.force), user_id: call.auth.user_id };
        return { snapshot: summary(await deps.db.transaction((tx) => addSnapshot(tx, deps, ids(call), wanted))) };
      },
    }),
    endpoint({ id: 'snapshots:show', method: 'GET', path: '/v3/snapshots/{id}', summary: 'Show a snapshot', policy: 'volume:get_snapshot', target, status: 200, reply: shown('snapshot', fields), handler: (call) => ({ snapshot: view(rowOf(call)) }) }),
    endpoint({
      id: 'snapshots:update', method: 'PUT', path: '/v3/snapshots/{id}', summary: 'Change a snapshot', policy: 'volume:update_snapshot', target, status: 200, reply: shown('snapshot', fields),
      body: wrapped('snapshot', Type.Object(texts, { additionalProperties: false })),
      async handler(call) {
        const { name = call.body.snapshot.display_name, description = call.body.snapshot.display_description } = call.body.snapshot;
        const change = { ...(name === undefined ? {} : { name: clean(name) }), ...(description === undefined ? {} : { description: clean(description) }), updated_at: isoMicros(deps.clock.now()) };
        const row = await deps.db.transaction((tx) => snapshots.update(tx, call.params.id, change));
        return { snapshot: summary(row ?? rowOf(call)) };
      },
    }),
    endpoint({
      id: 'snapshots:delete', method: 'DELETE', path: '/v3/snapshots/{id}', summary: 'Delete a snapshot', policy: 'volume:delete_snapshot', target, status: 202,
      async handler(call) {
        if (rowOf(call).group_snapshot_id !== null) throw invalidSnapshot('Snapshot status must be available or error, and it must not be part of a group.');
        await deps.db.transaction((tx) => dropSnapshot(tx, deps, ids(call), rowOf(call)));
        return reply();
      },
    }),
  ];
};

const STATES = ['creating', 'available', 'deleting', 'error', 'error_deleting'];

const actions = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, snapshots, snapshotNotFound);
  const common = { method: 'POST', path: '/v3/snapshots/{id}/action', target, status: 202 } as const;
  const set = (id: string, change: Partial<SnapshotRow>) => deps.db.transaction((tx) => snapshots.update(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) }));
  return [
    endpoint({
      ...common, id: 'snapshots:os-reset_status', action: 'os-reset_status', summary: 'Set the state of a snapshot by hand', policy: 'volume_extension:snapshot_admin_actions:reset_status',
      body: wrapped('os-reset_status', Type.Object({ status: Type.String() })),
      async handler(call) {
        const { status } = call.body['os-reset_status'];
        if (!STATES.includes(status)) throw badRequest('block-storage.status-invalid', `Invalid status: ${status}`);
        await set(call.params.id, { status });
        return reply();
      },
    }),
    endpoint({
      ...common, id: 'snapshots:os-update_snapshot_status', action: 'os-update_snapshot_status', summary: 'Say how far a snapshot is', policy: 'snapshot_extension:snapshot_actions:update_snapshot_status',
      body: wrapped('os-update_snapshot_status', Type.Object({ status: Type.String(), progress: Type.Optional(nullableText) })),
      async handler(call) {
        const { status, progress } = call.body['os-update_snapshot_status'];
        const now = rowOf(call).status;
        const allowed: Record<string, string[]> = { creating: ['creating', 'available', 'error'], deleting: ['deleting', 'error_deleting'] };
        if (allowed[now] === undefined) throw badRequest('block-storage.status-invalid', `Snapshot status ${now} not allowed for update_snapshot_status`);
        if (!allowed[now].includes(status)) throw badRequest('block-storage.status-invalid', `Provided snapshot status ${status} not allowed for snapshot with status ${now}.`);
        if (typeof progress === 'string' && !/^(100|\d{1,2})%$/.test(progress)) throw badRequest('block-storage.progress-invalid', 'progress must be an integer percentage');
        await set(call.params.id, { status, ...(typeof progress === 'string' ? { progress } : {}) });
        return reply();
      },
    }),
    endpoint({
      ...common, id: 'snapshots:os-force_delete', action: 'os-force_delete', summary: 'Delete a snapshot whatever its state', policy: 'volume_extension:snapshot_admin_actions:force_delete', body: Type.Object({ 'os-force_delete': Type.Unknown() }),
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          await deps.engine.cancel(tx, `volume-snapshot:${call.params.id}`);
          await dropSnapshot(tx, deps, ids(call), rowOf(call), true);
        });
        return reply();
      },
    }),
  ];
};

export const snapshotEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...crud(deps), ...actions(deps)];

const one = '/snapshots/{id}';

export const snapshotPolicies: PolicyRule[] = [
  rule('volume:get_all_snapshots', READER, 'List snapshots.', 'GET /snapshots', 'GET /snapshots/detail'),
  rule('volume:create_snapshot', MEMBER, 'Take a snapshot of a volume.', 'POST /snapshots'),
  rule('volume:get_snapshot', READER, 'Show a snapshot.', `GET ${one}`),
  rule('volume:update_snapshot', MEMBER, 'Change a snapshot.', `PUT ${one}`),
  rule('volume:delete_snapshot', MEMBER, 'Delete a snapshot.', `DELETE ${one}`),
  rule('volume_extension:snapshot_admin_actions:reset_status', ADMIN, 'Set the state of a snapshot by hand.', `POST ${one}/action`),
  rule('snapshot_extension:snapshot_actions:update_snapshot_status', MEMBER, 'Say how far a snapshot is.', `POST ${one}/action`),
  rule('volume_extension:snapshot_admin_actions:force_delete', ADMIN, 'Delete a snapshot whatever its state.', `POST ${one}/action`),
];

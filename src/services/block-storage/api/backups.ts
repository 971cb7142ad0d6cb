import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { backupNotFound } from '../faults.ts';
import { childrenOf, createBackup, exportRecord, importRecord, removeBackup, restoreBackup } from '../model/backups.ts';
import { backups } from '../store/rows.ts';
import type { BackupRow } from '../store/tables.ts';
import { ADMIN, MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, clean, ids, instant, isAdmin, json, links, listed, looseBoolean, metadataMap, nullableMetadata, nullableText, owned, projectOf, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const listing: ListingRules = {
  filters: { name: { column: 'name', kind: 'text' }, status: { column: 'status', kind: 'text' }, volume_id: { column: 'volume_id', kind: 'text' }, id: { column: 'id', kind: 'text' }, size: { column: 'size', kind: 'number' } },
  sort: { name: 'name', status: 'status', size: 'size', volume_id: 'volume_id', updated_at: 'updated_at', data_timestamp: 'data_timestamp' },
};

const fields = {
  id: Type.String(), 'os-backup-project-attr:project_id': Type.Optional(since(versions.BACKUP_PROJECT, Type.String())), metadata: Type.Optional(since(versions.BACKUP_METADATA, Type.Object({}))),
  user_id: Type.Optional(since(versions.BACKUP_USER, Type.String())), encryption_key_id: Type.Optional(since(versions.ENCRYPTION_KEY_ID, nullableText)),
};

type ViewCall = Pick<AnyCall, 'base' | 'auth'>;
const summary = (call: ViewCall, { id, name }: BackupRow) => ({ id, name, links: links(call, 'backups', id) });

const view = (call: Pick<AnyCall, 'base' | 'auth' | 'allows'>, row: BackupRow, has_dependent_backups: boolean) => ({
  ...summary(call, row), status: row.status, size: row.size, object_count: row.object_count, availability_zone: row.availability_zone, container: row.container, created_at: instant(row.created_at), updated_at: instant(row.updated_at),
  description: row.description, fail_reason: row.fail_reason, volume_id: row.volume_id, is_incremental: row.is_incremental === 1, has_dependent_backups, snapshot_id: row.snapshot_id, data_timestamp: instant(row.data_timestamp),
  ...(isAdmin(call) ? { 'os-backup-project-attr:project_id': row.project_id } : {}), metadata: json(row.metadata_json), user_id: row.user_id,
});

const crud = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, backups, backupNotFound);
  return [
    ...(['', '/detail'] as const).map((path) => endpoint({
      id: `backups:list${path}`, method: 'GET', path: `/v3/backups${path}`, summary: 'List backups', policy: 'backup:get_all', status: 200, reply: listed('backups', fields),
      async handler(call) {
        const page = await readPage(readerOf(deps), backups, call, readListing(call, deps.config, listing), 'backups');
        if (path === '') return { backups: page.rows.map((row) => summary(call, row)), ...page.more };
        const children = await backups.all(readerOf(deps), [{ column: 'parent_id', op: 'in', value: page.rows.map(({ id }) => id) }]);
        return { backups: page.rows.map((row) => view(call, row, children.some(({ parent_id }) => parent_id === row.id))), ...page.more };
      },
    })),
    endpoint({
      id: 'backups:create', method: 'POST', path: '/v3/backups', summary: 'Back a volume up', policy: 'backup:create', status: 202, reply: shown('backup', fields),
      body: wrapped('backup', Type.Object({
        volume_id: Type.String({ minLength: 1 }), container: Type.Optional(nullableText), description: Type.Optional(nullableText), name: Type.Optional(nullableText), incremental: Type.Optional(looseBoolean), force: Type.Optional(looseBoolean),
        snapshot_id: Type.Optional(nullableText), metadata: Type.Optional(since(versions.BACKUP_METADATA, nullableMetadata)), availability_zone: Type.Optional(since(versions.BACKUP_AZ, nullableText)),
      }, { additionalProperties: true })),
      async handler(call) {
        const { volume_id, snapshot_id = null, name, description, incremental, force, metadata, availability_zone = null } = call.body.backup;
        const wanted = { volume_id, snapshot_id, name: clean(name), description: clean(description), incremental: asBoolean(incremental), force: asBoolean(force), metadata: metadata ?? {}, availability_zone };
        return { backup: summary(call, await createBackup(deps, { auth: call.auth, ...ids(call) }, wanted)) };
      },
    }),
    endpoint({
      id: 'backups:show', method: 'GET', path: '/v3/backups/{id}', summary: 'Show a backup', policy: 'backup:get', target, status: 200, reply: shown('backup', fields),
      handler: async (call) => ({ backup: view(call, rowOf(call), (await childrenOf(readerOf(deps), rowOf(call).id)) > 0) }),
    }),
    endpoint({
      id: 'backups:update', method: 'PUT', path: '/v3/backups/{id}', summary: 'Change a backup', policy: 'backup:update', target, since: versions.BACKUP_UPDATE, status: 200, reply: shown('backup', fields),
      body: wrapped('backup', Type.Object({ name: Type.Optional(nullableText), description: Type.Optional(nullableText), metadata: Type.Optional(since(versions.BACKUP_METADATA, metadataMap)) }, { additionalProperties: false })),
      async handler(call) {
        const { name, description, metadata } = call.body.backup;
        if (name === undefined && description === undefined && metadata === undefined) throw badRequest('block-storage.nothing-to-change', 'Must specify name, description or metadata.');
        const change = { ...(name === undefined ? {} : { name: clean(name) }), ...(description === undefined ? {} : { description: clean(description) }), ...(metadata === undefined ? {} : { metadata_json: JSON.stringify(metadata) }) };
        const row = await deps.db.transaction((tx) => backups.update(tx, call.params.id, { ...change, updated_at: isoMicros(deps.clock.now()) }));
        return { backup: summary(call, row ?? rowOf(call)) };
      },
    }),
    endpoint({
      id: 'backups:delete', method: 'DELETE', path: '/v3/backups/{id}', summary: 'Delete a backup', policy: 'backup:delete', target, status: 202,
      async handler(call) {
        await removeBackup(deps, ids(call), rowOf(call), false);
        return reply();
      },
    }),
  ];
};

const parts = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, backups, backupNotFound);
  const action = { method: 'POST', path: '/v3/backups/{id}/action', target, status: 202 } as const;
  return [
    endpoint({
      id: 'backups:restore', method: 'POST', path: '/v3/backups/{id}/restore', summary: 'Bring back what a backup holds', policy: 'backup:restore', target, status: 202, reply: shown('restore', {}),
      body: wrapped('restore', Type.Union([Type.Object({ name: Type.Optional(nullableText), volume_id: Type.Optional(nullableText) }), Type.Null()])),
      async handler(call) {
        const { volume_id = null, name = null } = call.body.restore ?? {};
        const volume = await restoreBackup(deps, { auth: call.auth, ...ids(call) }, rowOf(call), { volume_id, name });
        return { restore: { backup_id: call.params.id, volume_id: volume.id, volume_name: volume.name } };
      },
    }),
    endpoint({
      id: 'backups:export', method: 'GET', path: '/v3/backups/{id}/export_record', summary: 'Write down where a backup is', policy: 'backup:export-import', target, status: 200, reply: shown('backup-record', {}),
      handler: (call) => ({ 'backup-record': exportRecord(rowOf(call)) }),
    }),
    endpoint({
      id: 'backups:import', method: 'POST', path: '/v3/backups/import_record', summary: 'Take up a backup that is written down', policy: 'backup:backup-import', status: 201, reply: shown('backup', fields), bodyLimit: 64 * 2 ** 20,
      body: wrapped('backup-record', Type.Object({ backup_service: Type.String({ minLength: 1, maxLength: 255 }), backup_url: Type.String({ minLength: 1 }) })),
      handler: async (call) => ({ backup: summary(call, await importRecord(deps, call.auth, projectOf(call), call.body['backup-record'])) }),
    }),
    endpoint({
      ...action, id: 'backups:os-reset_status', action: 'os-reset_status', summary: 'Set the state of a backup by hand', policy: 'volume_extension:backup_admin_actions:reset_status', body: wrapped('os-reset_status', Type.Object({ status: Type.String() })),
      async handler(call) {
        const { status } = call.body['os-reset_status'];
        if (!['available', 'error'].includes(status)) throw badRequest('block-storage.status-invalid', `Invalid status: ${status}`);
        await deps.db.transaction((tx) => backups.update(tx, call.params.id, { status, updated_at: isoMicros(deps.clock.now()) }));
        return reply();
      },
    }),
    endpoint({
      ...action, id: 'backups:os-force_delete', action: 'os-force_delete', summary: 'Delete a backup whatever its state', policy: 'volume_extension:backup_admin_actions:force_delete', body: Type.Object({ 'os-force_delete': Type.Unknown() }),
      async handler(call) {
        await removeBackup(deps, ids(call), rowOf(call), true);
        return reply();
      },
    }),
  ];
};

export const backupEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...crud(deps), ...parts(deps)];

const one = '/backups/{id}';

export const backupPolicies: PolicyRule[] = [
  rule('backup:get_all', READER, 'List backups.', 'GET /backups', 'GET /backups/detail'),
  rule('backup:create', MEMBER, 'Back a volume up.', 'POST /backups'),
  rule('backup:get', READER, 'Show a backup.', `GET ${one}`),
  rule('backup:update', MEMBER, 'Change a backup.', `PUT ${one}`),
  rule('backup:delete', MEMBER, 'Delete a backup.', `DELETE ${one}`),
  rule('backup:restore', MEMBER, 'Bring back what a backup holds.', `POST ${one}/restore`),
  rule('backup:backup-import', ADMIN, 'Take up a backup that is written down.', 'POST /backups/import_record'),
  rule('backup:export-import', ADMIN, 'Write down where a backup is.', `GET ${one}/export_record`),
  rule('volume_extension:backup_admin_actions:reset_status', ADMIN, 'Set the state of a backup by hand.', `POST ${one}/action`),
  rule('volume_extension:backup_admin_actions:force_delete', ADMIN, 'Delete a backup whatever its state.', `POST ${one}/action`),
];

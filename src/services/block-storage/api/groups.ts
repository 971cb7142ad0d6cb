import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since as from } from '../../../kernel/api/microversion.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { groupNotFound, groupSnapshotNotFound } from '../faults.ts';
import { addGroup, changeMembers, copyGroup, dropGroupSnapshot, membersOf, removeGroup, snapshotGroup } from '../model/groups.ts';
import { resolveType } from '../model/types.ts';
import { mine } from '../model/volumes.ts';
import { groups, groupSnapshots } from '../store/rows.ts';
import type { GroupRow, GroupSnapshotRow } from '../store/tables.ts';
import { ADMIN, MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, clean, eyes, ids, instant, json, listed, looseBoolean, nullableText, owned, projectOf, readerOf, shown, wrapped } from './common.ts';
import { groupTypeFor } from './group-types.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const since = versions.GROUPS;
const listing: ListingRules = { filters: { name: { column: 'name', kind: 'text' }, status: { column: 'status', kind: 'text' }, id: { column: 'id', kind: 'text' }, group_id: { column: 'group_id', kind: 'text' } }, sort: { name: 'name', status: 'status' } };
const named = ({ id, name }: { id: string; name: string | null }) => ({ id, name: name ?? '' });
const texts = { name: Type.Optional(nullableText), description: Type.Optional(nullableText) };
const fields = { id: Type.String(), replication_status: Type.Optional(from(versions.GROUP_REPLICATION, nullableText)), group_snapshot_id: Type.Optional(from(versions.GROUP_SNAPSHOTS, nullableText)), source_group_id: Type.Optional(from(versions.GROUP_SNAPSHOTS, nullableText)) };

const view = (row: GroupRow, volumes: string[] | undefined) => ({
  ...named(row), status: row.status, description: row.description, availability_zone: row.availability_zone, created_at: instant(row.created_at), group_type: row.group_type_id, volume_types: json<string[]>(row.volume_types_json),
  group_snapshot_id: row.group_snapshot_id, source_group_id: row.source_group_id, replication_status: 'disabled', ...(volumes === undefined ? {} : { volumes }),
});

const asked = (text: string | undefined | null): string[] => (text ?? '').split(',').map((id) => id.trim()).filter((id) => id !== '');

const readEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, groups, groupNotFound);
  const volumesOf = async (call: { version: number; url: URL }, id: string) => (call.version >= versions.GROUP_VOLUME_LIST && asBoolean(call.url.searchParams.get('list_volume') ?? false) ? (await membersOf(readerOf(deps), id)).map((one) => one.id) : undefined);
  return [
    ...(['', '/detail'] as const).map((path) => endpoint({
      id: `groups:list${path}`, method: 'GET', path: `/v3/groups${path}`, summary: 'List groups', policy: 'group:get_all', since, status: 200, reply: listed('groups', fields),
      async handler(call) {
        const page = await readPage(readerOf(deps), groups, call, readListing(call, deps.config, listing), 'groups');
        if (path === '') return { groups: page.rows.map(named), ...page.more };
        return { groups: await Promise.all(page.rows.map(async (row) => view(row, await volumesOf(call, row.id)))), ...page.more };
      },
    })),
    endpoint({ id: 'groups:show', method: 'GET', path: '/v3/groups/{id}', summary: 'Show a group', policy: 'group:get', target, since, status: 200, reply: shown('group', fields), handler: async (call) => ({ group: view(rowOf(call), await volumesOf(call, call.params.id)) }) }),
  ];
};

const writeEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  return [
    endpoint({
      id: 'groups:create', method: 'POST', path: '/v3/groups', summary: 'Make a group', policy: 'group:create', since, status: 202, reply: shown('group'),
      body: wrapped('group', Type.Object({ ...texts, group_type: Type.String({ minLength: 1 }), volume_types: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true }), availability_zone: Type.Optional(nullableText) }, { additionalProperties: false })),
      async handler(call) {
        const { name, description, group_type, volume_types, availability_zone } = call.body.group;
        const type = await groupTypeFor(readerOf(deps), group_type);
        const types = await Promise.all(volume_types.map(async (one) => (await resolveType(readerOf(deps), eyes(call), one)).id));
        return { group: named(await addGroup(deps, { project_id: projectOf(call), user_id: call.auth.user_id, name: clean(name), description: clean(description), group_type_id: type.id, volume_types_json: JSON.stringify(types), ...(availability_zone === undefined || availability_zone === null ? {} : { availability_zone }) })) };
      },
    }),
    endpoint({
      id: 'groups:create-from-src', method: 'POST', path: '/v3/groups/action', action: 'create-from-src', summary: 'Make a group of copies', policy: 'group:create', since: versions.GROUP_SNAPSHOTS, status: 202, reply: shown('group'),
      body: wrapped('create-from-src', Type.Object({ ...texts, group_snapshot_id: Type.Optional(nullableText), source_group_id: Type.Optional(nullableText) }, { additionalProperties: false })),
      async handler(call) {
        const { name, description, group_snapshot_id = null, source_group_id = null } = call.body['create-from-src'];
        if ((group_snapshot_id === null) === (source_group_id === null)) throw badRequest('block-storage.group-source', "Either 'group_snapshot_id' or 'source_group_id' must be provided, and not both.");
        return { group: named(await copyGroup(deps, { auth: call.auth, ...ids(call) }, { group_snapshot_id, source_group_id, name: clean(name), description: clean(description) })) };
      },
    }),
  ];
};

const changeEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, groups, groupNotFound);
  const action = { method: 'POST', path: '/v3/groups/{id}/action', target, status: 202 } as const;
  return [
    endpoint({
      id: 'groups:update', method: 'PUT', path: '/v3/groups/{id}', summary: 'Change a group', policy: 'group:update', target, since, status: 202,
      body: wrapped('group', Type.Object({ ...texts, add_volumes: Type.Optional(Type.Union([Type.String(), Type.Null()])), remove_volumes: Type.Optional(Type.Union([Type.String(), Type.Null()])) }, { additionalProperties: false })),
      async handler(call) {
        const { name, description, add_volumes, remove_volumes } = call.body.group;
        if (name === undefined && description === undefined && add_volumes === undefined && remove_volumes === undefined) throw badRequest('block-storage.nothing-to-change', 'Name, description, add_volumes, and remove_volumes can not be all empty in the request body.');
        await changeMembers(deps, rowOf(call), asked(add_volumes), asked(remove_volumes));
        const change = { ...(name === undefined ? {} : { name: clean(name) }), ...(description === undefined ? {} : { description: clean(description) }) };
        await deps.db.transaction((tx) => groups.update(tx, call.params.id, { ...change, updated_at: isoMicros(deps.clock.now()) }));
        return reply();
      },
    }),
    endpoint({
      ...action, id: 'groups:delete', action: 'delete', summary: 'Delete a group', policy: 'group:delete', since, body: wrapped('delete', Type.Object({ 'delete-volumes': Type.Optional(looseBoolean) })),
      async handler(call) {
        await removeGroup(deps, ids(call), rowOf(call), asBoolean(call.body.delete['delete-volumes']));
        return reply();
      },
    }),
    endpoint({
      ...action, id: 'groups:reset-status', action: 'reset_status', summary: 'Set the state of a group by hand', policy: 'group:reset_status', since: versions.GROUP_RESET, body: wrapped('reset_status', Type.Object({ status: Type.String({ minLength: 1, maxLength: 64 }) })),
      async handler(call) {
        await deps.db.transaction((tx) => groups.update(tx, call.params.id, { status: call.body.reset_status.status }));
        return reply();
      },
    }),
  ];
};

const snapshotView = (row: GroupSnapshotRow) => ({ ...named(row), status: row.status, description: row.description, created_at: instant(row.created_at), group_id: row.group_id, group_type_id: row.group_type_id });

const snapshotEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, groupSnapshots, groupSnapshotNotFound);
  const common = { since: versions.GROUP_SNAPSHOTS };
  return [
    ...(['', '/detail'] as const).map((path) => endpoint({
      ...common, id: `group-snapshots:list${path}`, method: 'GET', path: `/v3/group_snapshots${path}`, summary: 'List group snapshots', policy: 'group:get_all_group_snapshots', status: 200, reply: listed('group_snapshots'),
      async handler(call) {
        const page = await readPage(readerOf(deps), groupSnapshots, call, readListing(call, deps.config, listing), 'group_snapshots');
        return { group_snapshots: page.rows.map(path === '' ? named : snapshotView), ...page.more };
      },
    })),
    endpoint({ ...common, id: 'group-snapshots:show', method: 'GET', path: '/v3/group_snapshots/{id}', summary: 'Show a group snapshot', policy: 'group:get_group_snapshot', target, status: 200, reply: shown('group_snapshot'), handler: (call) => ({ group_snapshot: snapshotView(rowOf(call)) }) }),
    endpoint({
      ...common, id: 'group-snapshots:create', method: 'POST', path: '/v3/group_snapshots', summary: 'Take a snapshot of a group', policy: 'group:create_group_snapshot', status: 202, reply: shown('group_snapshot'),
      body: wrapped('group_snapshot', Type.Object({ ...texts, group_id: Type.String({ minLength: 1 }) }, { additionalProperties: false })),
      async handler(call) {
        const { group_id, name, description } = call.body.group_snapshot;
        const group = await groups.find(readerOf(deps), group_id);
        if (group === undefined || !mine(call.auth, group)) throw groupNotFound(group_id);
        const row = await snapshotGroup(deps, { auth: call.auth, ...ids(call) }, group, clean(name), clean(description));
        return { group_snapshot: { ...named(row), group_type_id: row.group_type_id } };
      },
    }),
    endpoint({
      ...common, id: 'group-snapshots:delete', method: 'DELETE', path: '/v3/group_snapshots/{id}', summary: 'Delete a group snapshot', policy: 'group:delete_group_snapshot', target, status: 202,
      async handler(call) {
        await dropGroupSnapshot(deps, ids(call), rowOf(call));
        return reply();
      },
    }),
    endpoint({
      id: 'group-snapshots:reset-status', method: 'POST', path: '/v3/group_snapshots/{id}/action', action: 'reset_status', summary: 'Set the state of a group snapshot by hand', policy: 'group:reset_group_snapshot_status', target, since: versions.GROUP_SNAPSHOT_RESET, status: 202,
      body: wrapped('reset_status', Type.Object({ status: Type.String({ minLength: 1, maxLength: 64 }) })),
      async handler(call) {
        await deps.db.transaction((tx) => groupSnapshots.update(tx, call.params.id, { status: call.body.reset_status.status }));
        return reply();
      },
    }),
  ];
};

export const groupEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...readEndpoints(deps), ...writeEndpoints(deps), ...changeEndpoints(deps), ...snapshotEndpoints(deps)];

export const groupPolicies: PolicyRule[] = [
  rule('group:get_all', READER, 'List groups.', 'GET /groups', 'GET /groups/detail'),
  rule('group:get', READER, 'Show a group.', 'GET /groups/{id}'),
  rule('group:create', MEMBER, 'Make a group.', 'POST /groups', 'POST /groups/action'),
  rule('group:update', MEMBER, 'Change a group.', 'PUT /groups/{id}'),
  rule('group:delete', MEMBER, 'Delete a group.', 'POST /groups/{id}/action'),
  rule('group:reset_status', ADMIN, 'Set the state of a group by hand.', 'POST /groups/{id}/action'),
  rule('group:get_all_group_snapshots', READER, 'List group snapshots.', 'GET /group_snapshots', 'GET /group_snapshots/detail'),
  rule('group:get_group_snapshot', READER, 'Show a group snapshot.', 'GET /group_snapshots/{id}'),
  rule('group:create_group_snapshot', MEMBER, 'Take a snapshot of a group.', 'POST /group_snapshots'),
  rule('group:delete_group_snapshot', MEMBER, 'Delete a group snapshot.', 'DELETE /group_snapshots/{id}'),
  rule('group:reset_group_snapshot_status', ADMIN, 'Set the state of a group snapshot by hand.', 'POST /group_snapshots/{id}/action'),
];

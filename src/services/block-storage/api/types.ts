import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { typeNotFound } from '../faults.ts';
import { defaultType, extraSpecs, getType, ownTypes } from '../model/types.ts';
import { ADMIN, READER, rule } from '../policies.ts';
import { removeAllAccess } from '../store/access.ts';
import { types, volumes } from '../store/rows.ts';
import type { TypeRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { asBoolean, eyes, isAdmin, listed, looseBoolean, nullableText, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

type ViewCall = Pick<Call, 'allows'>;

function typeView(call: ViewCall, row: TypeRow) {
  const { id, name, description } = row;
  const specs = extraSpecs(row);
  const visible = ['multiattach', 'RESKEY:availability_zones', 'replication_enabled'];
  const shownSpecs = call.allows('volume_extension:access_types_extra_specs') ? (isAdmin(call) ? specs : Object.fromEntries(Object.entries(specs).filter(([key]) => visible.includes(key)))) : undefined;
  return {
    id, name, description, is_public: row.is_public === 1, 'os-volume-type-access:is_public': row.is_public === 1, ...(shownSpecs === undefined ? {} : { extra_specs: shownSpecs }),
    qos_specs_id: call.allows('volume_extension:access_types_qos_specs_id') ? row.qos_specs_id : undefined,
  };
}

const listing: ListingRules = {
  filters: { name: { column: 'name', kind: 'text' }, description: { column: 'description', kind: 'text' }, extra_specs: { column: 'extra_specs_json', kind: 'pairs', since: versions.TYPE_FILTER }, is_public: { column: 'id', kind: 'text' } },
  sort: { name: 'name', updated_at: 'updated_at' },
};

async function visibleTypes(deps: BlockStorageDeps, call: Call): Promise<{ column: string; op: 'in'; value: string[] } | { column: string; op: 'eq'; value: boolean }[]> {
  const asked = call.url.searchParams.get('is_public');
  if (isAdmin(call)) {
    if (asked === null) return [{ column: 'is_public', op: 'eq', value: true }];
    if (/^none$/i.test(asked)) return [];
    return [{ column: 'is_public', op: 'eq', value: asBoolean(asked) }];
  }
  const all = await types.all(readerOf(deps), [{ column: 'is_public', op: 'eq', value: true }]);
  return { column: 'id', op: 'in', value: [...all.map(({ id }) => id), ...(await ownTypes(readerOf(deps), call.auth.project_id))] };
}

const fields = { name: Type.String({ minLength: 1, maxLength: 255 }), description: Type.Optional(nullableText), extra_specs: Type.Optional(Type.Union([Type.Record(Type.String({ pattern: '^[a-zA-Z0-9\\-_:. ]{1,255}$' }), Type.Union([Type.String({ maxLength: 255 }), Type.Null()])), Type.Null()])), 'os-volume-type-access:is_public': Type.Optional(looseBoolean) };

const exists = (name: string) => (error: unknown): never => {
  if (isUniqueViolation(error, 'name')) throw conflict('block-storage.type-exists', `Volume Type ${name} already exists.`);
  throw error;
};

const readEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'types:list', method: 'GET', path: '/v3/types', summary: 'List volume types', policy: 'volume_extension:type_get_all', status: 200, reply: listed('volume_types'),
    async handler(call) {
      const page = readListing(call, deps.config, listing);
      const visible = await visibleTypes(deps, call as unknown as Call);
      const filters = page.filters.filter(({ column }) => !['project_id', 'id'].includes(column));
      const found = await readPage(readerOf(deps), types, call, { ...page, filters: [...filters, ...[visible].flat()] }, 'volume_types');
      return { volume_types: found.rows.map((row) => typeView(call, row)), ...found.more };
    },
  }),
  endpoint({
    id: 'types:show', method: 'GET', path: '/v3/types/{type_id}', summary: 'Show a volume type', policy: 'volume_extension:type_get', status: 200, reply: shown('volume_type'),
    async handler(call) {
      const row = call.params.type_id === 'default' ? await defaultType(deps, call.auth.project_id) : await getType(readerOf(deps), eyes(call), call.params.type_id);
      return { volume_type: typeView(call, row) };
    },
  }),
];

const writeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'types:create', method: 'POST', path: '/v3/types', summary: 'Make a volume type', policy: 'volume_extension:type_create', status: 200,
    body: wrapped('volume_type', Type.Object(fields, { additionalProperties: false })), reply: shown('volume_type'),
    async handler(call) {
      const { description, extra_specs, ...asked } = call.body.volume_type;
      const name = asked.name.trim();
      if (name === '') throw badRequest('block-storage.name-needed', 'Volume type name can not be empty.');
      const row: TypeRow = {
        id: uuid(), name, description: description ?? null, is_public: asBoolean(asked['os-volume-type-access:is_public'], true) ? 1 : 0, qos_specs_id: null,
        extra_specs_json: JSON.stringify(extra_specs ?? {}), encryption_json: null, created_at: isoMicros(deps.clock.now()), updated_at: null,
      };
      await deps.db.transaction((tx) => types.insert(tx, row).catch(exists(name)));
      const { qos_specs_id: _none, ...made } = typeView(call, row);
      return { volume_type: made };
    },
  }),
  endpoint({
    id: 'types:update', method: 'PUT', path: '/v3/types/{type_id}', summary: 'Change a volume type', policy: 'volume_extension:type_update', status: 200, reply: shown('volume_type'),
    body: wrapped('volume_type', Type.Object({ name: Type.Optional(nullableText), description: Type.Optional(nullableText), is_public: Type.Optional(looseBoolean) }, { additionalProperties: false })),
    async handler(call) {
      const { name, description, is_public } = call.body.volume_type;
      if (name?.trim() === '') throw badRequest('block-storage.name-needed', 'Volume type name can not be empty.');
      if (name === undefined && description === undefined && is_public === undefined) throw badRequest('block-storage.nothing-to-change', "Specify volume type name, description, is_public or a combination thereof.");
      const change = { ...(name === undefined || name === null ? {} : { name: name.trim() }), ...(description === undefined ? {} : { description }), ...(is_public === undefined ? {} : { is_public: asBoolean(is_public) ? 1 : 0 }) };
      const row = await deps.db.transaction((tx) => types.update(tx, call.params.type_id, { ...change, updated_at: isoMicros(deps.clock.now()) }).catch(exists(name ?? '')));
      if (row === undefined) throw typeNotFound(call.params.type_id);
      const { qos_specs_id: _qos, 'os-volume-type-access:is_public': _public, ...changed } = typeView(call, row);
      return { volume_type: changed };
    },
  }),
  endpoint({
    id: 'types:delete', method: 'DELETE', path: '/v3/types/{type_id}', summary: 'Delete a volume type', policy: 'volume_extension:type_delete', status: 202,
    async handler(call) {
      const { type_id } = call.params;
      await deps.db.transaction(async (tx) => {
        const row = await types.find(tx, type_id);
        if (row === undefined) throw typeNotFound(type_id);
        if (row.name === deps.config.default_volume_type) throw badRequest('block-storage.default-type', 'Deleting the default volume type is not allowed.');
        if ((await volumes.count(tx, [{ column: 'type_id', op: 'eq', value: type_id }])) > 0) throw badRequest('block-storage.type-in-use', 'Target volume type is still in use.');
        await removeAllAccess(tx, 'block_storage_type_access', type_id);
        await types.remove(tx, type_id);
      });
      return reply();
    },
  }),
];

export const typeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...readEndpoints(deps), ...writeEndpoints(deps)];

export const typePolicies: PolicyRule[] = [
  rule('volume_extension:type_get', '@', 'Show a volume type.', 'GET /types/{type_id}'),
  rule('volume_extension:type_get_all', '@', 'List volume types.', 'GET /types'),
  rule('volume_extension:type_create', ADMIN, 'Make a volume type.', 'POST /types'),
  rule('volume_extension:type_update', ADMIN, 'Change a volume type.', 'PUT /types/{type_id}'),
  rule('volume_extension:type_delete', ADMIN, 'Delete a volume type.', 'DELETE /types/{type_id}'),
  rule('volume_extension:access_types_extra_specs', READER, 'See extra specs of volume types.', 'GET /types', 'GET /types/{type_id}'),
  rule('volume_extension:access_types_qos_specs_id', ADMIN, 'See the QoS specs of volume types.', 'GET /types', 'GET /types/{type_id}'),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { groupTypeNotFound } from '../faults.ts';
import { ADMIN, ANYBODY, rule } from '../policies.ts';
import { groups, groupTypes, type Reader } from '../store/rows.ts';
import type { GroupTypeRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { asBoolean, isAdmin, json, listed, looseBoolean, nullableText, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const ONE = '/v3/group_types/{group_type_id}';
const SPECS = `${ONE}/group_specs` as const;
const since = versions.GROUP_TYPES;
const specMap = Type.Unsafe<Record<string, string>>({ type: 'object', patternProperties: { '^[a-zA-Z0-9\\-_:. ]{1,255}$': { type: 'string', maxLength: 255 } }, additionalProperties: false });
const listing: ListingRules = { filters: { name: { column: 'name', kind: 'text' }, is_public: { column: 'is_public', kind: 'flag', admin: true } }, sort: { name: 'name' } };

const view = (row: GroupTypeRow, specs = true) => ({ id: row.id, name: row.name, description: row.description, is_public: row.is_public === 1, ...(specs ? { group_specs: json(row.specs_json) } : {}) });

export async function groupTypeFor(db: Reader, id: string): Promise<GroupTypeRow> {
  const row = await groupTypes.find(db, id);
  if (row === undefined) throw groupTypeNotFound(id);
  return row;
}

const crud = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'group-types:list', method: 'GET', path: '/v3/group_types', summary: 'List group types', policy: 'group:group_types:get_all', since, status: 200, reply: listed('group_types'),
    async handler(call) {
      const asked = readListing({ ...call, url: withoutNone(call.url) }, deps.config, listing);
      const filters = asked.filters.filter(({ column }) => column !== 'project_id');
      const page = await readPage(readerOf(deps), groupTypes, call, { ...asked, filters: isAdmin(call) ? filters : [...filters, { column: 'is_public', op: 'eq', value: true }] }, 'group_types');
      return { group_types: page.rows.map((row) => view(row, isAdmin(call))), ...page.more };
    },
  }),
  endpoint({
    id: 'group-types:show', method: 'GET', path: ONE, summary: 'Show a group type', policy: 'group:group_types:get', since, status: 200, reply: shown('group_type'),
    handler: async (call) => ({ group_type: view(await groupTypeFor(readerOf(deps), call.params.group_type_id), isAdmin(call)) }),
  }),
  endpoint({
    id: 'group-types:create', method: 'POST', path: '/v3/group_types', summary: 'Make a group type', policy: 'group:group_types:create', since, status: 202, reply: shown('group_type'),
    body: wrapped('group_type', Type.Object({ name: Type.String({ minLength: 1, maxLength: 255, pattern: '\\S' }), description: Type.Optional(nullableText), is_public: Type.Optional(looseBoolean), group_specs: Type.Optional(Type.Union([specMap, Type.Null()])) }, { additionalProperties: false })),
    async handler(call) {
      const { name, description, is_public, group_specs } = call.body.group_type;
      const row: GroupTypeRow = { id: uuid(), name: name.trim(), description: description ?? null, is_public: asBoolean(is_public, true) ? 1 : 0, specs_json: JSON.stringify(group_specs ?? {}), created_at: isoMicros(deps.clock.now()), updated_at: null };
      await deps.db.transaction((tx) => groupTypes.insert(tx, row)).catch((error: unknown) => {
        if (isUniqueViolation(error, 'name')) throw conflict('block-storage.group-type-exists', `Group Type ${row.name} already exists.`);
        throw error;
      });
      return { group_type: view(row) };
    },
  }),
  endpoint({
    id: 'group-types:update', method: 'PUT', path: ONE, summary: 'Change a group type', policy: 'group:group_types:update', since, status: 200, reply: shown('group_type'),
    body: wrapped('group_type', Type.Object({ name: Type.Optional(nullableText), description: Type.Optional(nullableText), is_public: Type.Optional(looseBoolean) }, { additionalProperties: false })),
    async handler(call) {
      const { name, description, is_public } = call.body.group_type;
      if (name?.trim() === '') throw badRequest('block-storage.name-needed', 'Group type name can not be empty.');
      const change = { ...(typeof name === 'string' ? { name: name.trim() } : {}), ...(description === undefined ? {} : { description }), ...(is_public === undefined ? {} : { is_public: asBoolean(is_public) ? 1 : 0 }) };
      const row = await deps.db.transaction((tx) => groupTypes.update(tx, call.params.group_type_id, { ...change, updated_at: isoMicros(deps.clock.now()) }));
      if (row === undefined) throw groupTypeNotFound(call.params.group_type_id);
      return { group_type: view(row) };
    },
  }),
  endpoint({
    id: 'group-types:delete', method: 'DELETE', path: ONE, summary: 'Delete a group type', policy: 'group:group_types:delete', since, status: 202,
    async handler(call) {
      await deps.db.transaction(async (tx) => {
        const { id } = await groupTypeFor(tx, call.params.group_type_id);
        if ((await groups.count(tx, [{ column: 'group_type_id', op: 'eq', value: id }])) > 0) throw badRequest('block-storage.group-type-in-use', 'Target group type is still in use.');
        await groupTypes.remove(tx, id);
      });
      return reply();
    },
  }),
];

/** `is_public=None`: of either kind. */
function withoutNone(url: URL): URL {
  const changed = new URL(url);
  if (/^none$/i.test(changed.searchParams.get('is_public') ?? '')) changed.searchParams.delete('is_public');
  return changed;
}

const specs = (deps: BlockStorageDeps): Endpoint[] => {
  const change = (id: string, to: (had: Record<string, string>) => Record<string, string>) => deps.db.transaction(async (tx) => {
    const row = await groupTypeFor(tx, id);
    await groupTypes.update(tx, id, { specs_json: JSON.stringify(to(json(row.specs_json))) });
  });
  const missing = (id: string, key: string) => notFound('block-storage.no-group-spec', `Group Type ${id} has no specs with key ${key}.`);
  const answer = Type.Object({ group_specs: Type.Object({}) });
  return [
    endpoint({ id: 'group-specs:list', method: 'GET', path: SPECS, summary: 'List group specs', policy: 'group:group_types_specs:get_all', since, status: 200, reply: answer, handler: async (call) => ({ group_specs: json(( await groupTypeFor(readerOf(deps), call.params.group_type_id)).specs_json) }) }),
    endpoint({
      id: 'group-specs:create', method: 'POST', path: SPECS, summary: 'Add group specs', policy: 'group:group_types_specs:create', since, status: 202, body: wrapped('group_specs', specMap), reply: answer,
      async handler(call) {
        await change(call.params.group_type_id, (had) => ({ ...had, ...call.body.group_specs }));
        return { group_specs: call.body.group_specs };
      },
    }),
    endpoint({
      id: 'group-specs:show', method: 'GET', path: `${SPECS}/{key}`, summary: 'Show one group spec', policy: 'group:group_types_specs:get', since, status: 200,
      async handler(call) {
        const { group_type_id, key } = call.params;
        const value = json((await groupTypeFor(readerOf(deps), group_type_id)).specs_json)[key];
        if (value === undefined) throw missing(group_type_id, key);
        return { [key]: value };
      },
    }),
    endpoint({
      id: 'group-specs:update', method: 'PUT', path: `${SPECS}/{key}`, summary: 'Set one group spec', policy: 'group:group_types_specs:update', since, status: 200, body: specMap,
      async handler(call) {
        const { group_type_id, key } = call.params;
        if (Object.keys(call.body).length !== 1 || !Object.hasOwn(call.body, key)) throw badRequest('block-storage.spec-invalid', 'Request body and URI mismatch');
        await change(group_type_id, (had) => ({ ...had, ...call.body }));
        return call.body;
      },
    }),
    endpoint({
      id: 'group-specs:delete', method: 'DELETE', path: `${SPECS}/{key}`, summary: 'Delete one group spec', policy: 'group:group_types_specs:delete', since, status: 202,
      async handler(call) {
        const { group_type_id, key } = call.params;
        await change(group_type_id, ({ [key]: gone, ...rest }) => {
          if (gone === undefined) throw missing(group_type_id, key);
          return rest;
        });
        return reply();
      },
    }),
  ];
};

export const groupTypeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...crud(deps), ...specs(deps)];

const one = '/group_types/{group_type_id}';

export const groupTypePolicies: PolicyRule[] = [
  rule('group:group_types:get_all', ANYBODY, 'List group types.', 'GET /group_types'),
  rule('group:group_types:get', ANYBODY, 'Show a group type.', `GET ${one}`),
  rule('group:group_types:create', ADMIN, 'Make a group type.', 'POST /group_types'),
  rule('group:group_types:update', ADMIN, 'Change a group type.', `PUT ${one}`),
  rule('group:group_types:delete', ADMIN, 'Delete a group type.', `DELETE ${one}`),
  rule('group:group_types_specs:get_all', ADMIN, 'List group specs.', `GET ${one}/group_specs`),
  rule('group:group_types_specs:get', ADMIN, 'Show a group spec.', `GET ${one}/group_specs/{key}`),
  rule('group:group_types_specs:create', ADMIN, 'Add group specs.', `POST ${one}/group_specs`),
  rule('group:group_types_specs:update', ADMIN, 'Set a group spec.', `PUT ${one}/group_specs/{key}`),
  rule('group:group_types_specs:delete', ADMIN, 'Delete a group spec.', `DELETE ${one}/group_specs/{key}`),
];

/** What belongs to a volume type: extra specs, projects it is given to, how its volumes are encrypted; and the types of projects. */
import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, notFound, type Fault } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { typeNotFound } from '../faults.ts';
import { extraSpecs, getType, resolveType } from '../model/types.ts';
import { ADMIN, ANYBODY, rule } from '../policies.ts';
import { addAccess, defaultTypeOf, defaultTypes, projectsOf, removeAccess, setDefaultType, unsetDefaultType } from '../store/access.ts';
import { types, volumes, type Reader } from '../store/rows.ts';
import type { TypeRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { eyes, json, nullableText, readerOf, shown, wrapped } from './common.ts';

const ONE = '/v3/types/{type_id}';
const SPECS = `${ONE}/extra_specs` as const;
const specMap = Type.Unsafe<Record<string, string>>({ type: 'object', patternProperties: { '^[a-zA-Z0-9\\-_:. ]{1,255}$': { type: 'string', maxLength: 255 } }, additionalProperties: false });

async function typeFor(db: Reader, id: string): Promise<TypeRow> {
  const row = await types.find(db, id);
  if (row === undefined) throw typeNotFound(id);
  return row;
}

const noSpec = (type_id: string, key: string): Fault => notFound('block-storage.no-extra-spec', `Volume Type ${type_id} has no extra specs with key ${key}.`);

const specEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const change = (id: string, to: (had: Record<string, string>) => Record<string, string>) => deps.db.transaction(async (tx) => {
    const row = await typeFor(tx, id);
    await types.update(tx, id, { extra_specs_json: JSON.stringify(to(extraSpecs(row))), updated_at: isoMicros(deps.clock.now()) });
  });
  return [
    endpoint({
      id: 'extra-specs:list', method: 'GET', path: SPECS, summary: 'List extra specs', policy: 'volume_extension:types_extra_specs:index', status: 200, reply: Type.Object({ extra_specs: Type.Object({}) }),
      handler: async (call) => ({ extra_specs: extraSpecs(await getType(readerOf(deps), eyes(call), call.params.type_id)) }),
    }),
    endpoint({
      id: 'extra-specs:create', method: 'POST', path: SPECS, summary: 'Add extra specs', policy: 'volume_extension:types_extra_specs:create', status: 200, body: wrapped('extra_specs', specMap), reply: Type.Object({ extra_specs: Type.Object({}) }),
      async handler(call) {
        await change(call.params.type_id, (had) => ({ ...had, ...call.body.extra_specs }));
        return { extra_specs: call.body.extra_specs };
      },
    }),
    endpoint({
      id: 'extra-specs:show', method: 'GET', path: `${SPECS}/{key}`, summary: 'Show one extra spec', policy: 'volume_extension:types_extra_specs:show', status: 200,
      async handler(call) {
        const { type_id, key } = call.params;
        const value = extraSpecs(await getType(readerOf(deps), eyes(call), type_id))[key];
        if (value === undefined) throw noSpec(type_id, key);
        return { [key]: value };
      },
    }),
    endpoint({
      id: 'extra-specs:update', method: 'PUT', path: `${SPECS}/{key}`, summary: 'Set one extra spec', policy: 'volume_extension:types_extra_specs:update', status: 200, body: specMap,
      async handler(call) {
        const { type_id, key } = call.params;
        const given = call.body as Record<string, string>;
        if (Object.keys(given).length !== 1) throw badRequest('block-storage.spec-invalid', 'Request body contains too many items');
        if (!Object.hasOwn(given, key)) throw badRequest('block-storage.spec-invalid', 'Request body and URI mismatch');
        await change(type_id, (had) => ({ ...had, ...given }));
        return given;
      },
    }),
    endpoint({
      id: 'extra-specs:delete', method: 'DELETE', path: `${SPECS}/{key}`, summary: 'Delete one extra spec', policy: 'volume_extension:types_extra_specs:delete', status: 202,
      async handler(call) {
        const { type_id, key } = call.params;
        await change(type_id, ({ [key]: gone, ...rest }) => {
          if (gone === undefined) throw noSpec(type_id, key);
          return rest;
        });
        return reply();
      },
    }),
  ];
};

const TABLE = 'block_storage_type_access';
const project = Type.Object({ project: Type.String({ minLength: 1, maxLength: 255 }) });

const accessEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const rules = 'volume_extension:volume_type_access';
  return [
    endpoint({
      id: 'type-access:list', method: 'GET', path: `${ONE}/os-volume-type-access`, summary: 'List the projects that a type is given to', policy: `${rules}:get_all_for_type`, status: 200, reply: Type.Object({ volume_type_access: Type.Array(Type.Object({})) }),
      async handler(call) {
        const row = await typeFor(readerOf(deps), call.params.type_id);
        if (row.is_public === 1) throw notFound('block-storage.type-public', 'Access list not available for public volume types.');
        return { volume_type_access: (await projectsOf(readerOf(deps), TABLE, row.id)).map((project_id) => ({ volume_type_id: row.id, project_id })) };
      },
    }),
    endpoint({
      id: 'type-access:add', method: 'POST', path: `${ONE}/action`, action: 'addProjectAccess', summary: 'Give a type to a project', policy: `${rules}:addProjectAccess`, status: 202, body: wrapped('addProjectAccess', project),
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          const row = await typeFor(tx, call.params.type_id);
          if (row.is_public === 1) throw badRequest('block-storage.type-public', 'Type access modification is not applicable to public volume type.');
          if (!(await addAccess(tx, TABLE, row.id, call.body.addProjectAccess.project))) throw conflict('block-storage.access-exists', `Volume type access for ${row.id} / ${call.body.addProjectAccess.project} combination already exists.`);
        });
        return reply();
      },
    }),
    endpoint({
      id: 'type-access:remove', method: 'POST', path: `${ONE}/action`, action: 'removeProjectAccess', summary: 'Take a type from a project', policy: `${rules}:removeProjectAccess`, status: 202, body: wrapped('removeProjectAccess', project),
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          const row = await typeFor(tx, call.params.type_id);
          if (!(await removeAccess(tx, TABLE, row.id, call.body.removeProjectAccess.project))) throw notFound('block-storage.no-access', `Volume type access not found for ${row.id} / ${call.body.removeProjectAccess.project} combination.`);
        });
        return reply();
      },
    }),
  ];
};

interface Encryption {
  encryption_id: string;
  provider: string;
  control_location: string;
  cipher: string | null;
  key_size: number | null;
}

const keySize = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^\\d{1,5}$' }), Type.Null()]));
const encryptionFields = { control_location: Type.Union([Type.Literal('front-end'), Type.Literal('back-end')]), cipher: Type.Optional(nullableText), key_size: keySize };
const emptyEncryption = {};

const ENCRYPTION = 'volume_extension:volume_type_encryption';
const ENCRYPTION_PATH = `${ONE}/encryption` as const;

const encryptionReads = (deps: BlockStorageDeps): Endpoint[] => {
  const view = (row: TypeRow) => (row.encryption_json === null ? emptyEncryption : { ...json<Encryption>(row.encryption_json), volume_type_id: row.id, created_at: row.created_at.slice(0, 26), updated_at: null, deleted: false, deleted_at: null });
  return [
    endpoint({ id: 'type-encryption:show', method: 'GET', path: ENCRYPTION_PATH, summary: 'Show how volumes of a type are encrypted', policy: `${ENCRYPTION}:get`, status: 200, handler: async (call) => view(await typeFor(readerOf(deps), call.params.type_id)) }),
    endpoint({
      id: 'type-encryption:show-one', method: 'GET', path: `${ENCRYPTION_PATH}/{encryption_id}`, summary: 'Show one part of how volumes of a type are encrypted', policy: `${ENCRYPTION}:get`, status: 200,
      async handler(call) {
        const found = (view(await typeFor(readerOf(deps), call.params.type_id)) as Record<string, unknown>)[call.params.encryption_id];
        if (found === undefined) throw notFound('block-storage.no-encryption', `Volume type encryption for type ${call.params.type_id} does not exist.`);
        return { [call.params.encryption_id]: found };
      },
    }),
  ];
};

/** @throws Fault 400, 404 */
async function unused(tx: Reader, id: string): Promise<TypeRow> {
  const row = await typeFor(tx, id);
  if ((await volumes.count(tx, [{ column: 'type_id', op: 'eq', value: id }])) > 0) throw badRequest('block-storage.type-in-use', 'Cannot change encryption specs. Volume type in use.');
  return row;
}

const store = (tx: Reader, id: string, encryption: Encryption | null) => types.update(tx, id, { encryption_json: encryption === null ? null : JSON.stringify(encryption) });

const encryptionWrites = (deps: BlockStorageDeps): Endpoint[] => {
  return [
    endpoint({
      id: 'type-encryption:create', method: 'POST', path: ENCRYPTION_PATH, summary: 'Have volumes of a type encrypted', policy: `${ENCRYPTION}:create`, status: 200, reply: shown('encryption', {}),
      body: wrapped('encryption', Type.Object({ ...encryptionFields, provider: Type.String({ minLength: 1, maxLength: 255 }) })),
      async handler(call) {
        const { provider, control_location, cipher, key_size } = call.body.encryption;
        const encryption: Encryption = { encryption_id: uuid(), provider, control_location, cipher: cipher ?? null, key_size: key_size === null || key_size === undefined ? null : Number(key_size) };
        await deps.db.transaction(async (tx) => {
          const row = await unused(tx, call.params.type_id);
          if (row.encryption_json !== null) throw badRequest('block-storage.encryption-exists', `Volume type encryption for type ${row.id} already exists.`);
          await store(tx, row.id, encryption);
        });
        return { encryption: { ...encryption, volume_type_id: call.params.type_id } };
      },
    }),
    endpoint({
      id: 'type-encryption:update', method: 'PUT', path: `${ENCRYPTION_PATH}/{encryption_id}`, summary: 'Change how volumes of a type are encrypted', policy: `${ENCRYPTION}:update`, status: 200, reply: shown('encryption', {}),
      body: wrapped('encryption', Type.Partial(Type.Object({ ...encryptionFields, provider: Type.String({ minLength: 1, maxLength: 255 }) }))),
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          const row = await unused(tx, call.params.type_id);
          const had = row.encryption_json === null ? undefined : json<Encryption>(row.encryption_json);
          if (had === undefined) throw notFound('block-storage.no-encryption', `Volume type encryption for type ${row.id} does not exist.`);
          const { key_size, ...given } = call.body.encryption;
          await store(tx, row.id, { ...had, ...(given as Partial<Encryption>), ...(key_size === undefined ? {} : { key_size: key_size === null ? null : Number(key_size) }) });
        });
        return { encryption: call.body.encryption };
      },
    }),
    endpoint({
      id: 'type-encryption:delete', method: 'DELETE', path: `${ENCRYPTION_PATH}/{encryption_id}`, summary: 'Have volumes of a type no longer encrypted', policy: `${ENCRYPTION}:delete`, status: 202,
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          const row = await unused(tx, call.params.type_id);
          if (row.encryption_json === null) throw notFound('block-storage.no-encryption', `Volume type encryption for type ${row.id} does not exist.`);
          await store(tx, row.id, null);
        });
        return reply();
      },
    }),
  ];
};

const defaultEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const path = '/v3/default-types/{project_id}';
  const since = versions.DEFAULT_TYPES;
  return [
    endpoint({
      id: 'default-types:list', method: 'GET', path: '/v3/default-types', summary: 'List default types', policy: 'volume_extension:default_get_all', since, status: 200, reply: Type.Object({ default_types: Type.Array(Type.Object({})) }),
      handler: async () => ({ default_types: (await defaultTypes(readerOf(deps))).map(({ project_id, type_id }) => ({ project_id, volume_type_id: type_id })) }),
    }),
    endpoint({
      id: 'default-types:show', method: 'GET', path, summary: 'Show the default type of a project', policy: 'volume_extension:default_get', since, status: 200, reply: shown('default_type', {}),
      async handler(call) {
        const volume_type_id = await defaultTypeOf(readerOf(deps), call.params.project_id);
        if (volume_type_id === undefined) throw notFound('block-storage.no-default-type', `Default type for project ${call.params.project_id} not found.`);
        return { default_type: { project_id: call.params.project_id, volume_type_id } };
      },
    }),
    endpoint({
      id: 'default-types:set', method: 'PUT', path, summary: 'Set the default type of a project', policy: 'volume_extension:default_set_or_update', since, status: 200, reply: shown('default_type', {}),
      body: wrapped('default_type', Type.Object({ volume_type: Type.String({ minLength: 1 }) })),
      async handler(call) {
        const type = await resolveType(readerOf(deps), eyes(call), call.body.default_type.volume_type);
        await deps.db.transaction((tx) => setDefaultType(tx, call.params.project_id, type.id));
        return { default_type: { project_id: call.params.project_id, volume_type_id: type.id } };
      },
    }),
    endpoint({
      id: 'default-types:unset', method: 'DELETE', path, summary: 'Unset the default type of a project', policy: 'volume_extension:default_unset', since, status: 204,
      async handler(call) {
        if (!(await deps.db.transaction((tx) => unsetDefaultType(tx, call.params.project_id)))) throw notFound('block-storage.no-default-type', `Default type for project ${call.params.project_id} not found.`);
        return reply();
      },
    }),
  ];
};

export const typePartEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...specEndpoints(deps), ...accessEndpoints(deps), ...encryptionReads(deps), ...encryptionWrites(deps), ...defaultEndpoints(deps)];

const one = '/types/{type_id}';

export const typePartPolicies: PolicyRule[] = [
  rule('volume_extension:types_extra_specs:index', ANYBODY, 'List extra specs of a type.', `GET ${one}/extra_specs`),
  rule('volume_extension:types_extra_specs:show', ANYBODY, 'Show an extra spec of a type.', `GET ${one}/extra_specs/{key}`),
  rule('volume_extension:types_extra_specs:create', ADMIN, 'Add extra specs to a type.', `POST ${one}/extra_specs`),
  rule('volume_extension:types_extra_specs:update', ADMIN, 'Set an extra spec of a type.', `PUT ${one}/extra_specs/{key}`),
  rule('volume_extension:types_extra_specs:delete', ADMIN, 'Delete an extra spec of a type.', `DELETE ${one}/extra_specs/{key}`),
  rule('volume_extension:volume_type_access:get_all_for_type', ADMIN, 'List the projects that a type is given to.', `GET ${one}/os-volume-type-access`),
  rule('volume_extension:volume_type_access:addProjectAccess', ADMIN, 'Give a type to a project.', `POST ${one}/action`),
  rule('volume_extension:volume_type_access:removeProjectAccess', ADMIN, 'Take a type from a project.', `POST ${one}/action`),
  rule('volume_extension:volume_type_encryption:get', ADMIN, 'Show how volumes of a type are encrypted.', `GET ${one}/encryption`, `GET ${one}/encryption/{encryption_id}`),
  rule('volume_extension:volume_type_encryption:create', ADMIN, 'Have volumes of a type encrypted.', `POST ${one}/encryption`),
  rule('volume_extension:volume_type_encryption:update', ADMIN, 'Change how volumes of a type are encrypted.', `PUT ${one}/encryption/{encryption_id}`),
  rule('volume_extension:volume_type_encryption:delete', ADMIN, 'Have volumes of a type no longer encrypted.', `DELETE ${one}/encryption/{encryption_id}`),
  rule('volume_extension:default_get_all', ADMIN, 'List default types.', 'GET /default-types'),
  rule('volume_extension:default_get', ADMIN, 'Show the default type of a project.', 'GET /default-types/{project_id}'),
  rule('volume_extension:default_set_or_update', ADMIN, 'Set the default type of a project.', 'PUT /default-types/{project_id}'),
  rule('volume_extension:default_unset', ADMIN, 'Unset the default type of a project.', 'DELETE /default-types/{project_id}'),
];

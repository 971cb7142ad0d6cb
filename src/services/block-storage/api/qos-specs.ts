import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { qosNotFound, typeNotFound } from '../faults.ts';
import { ADMIN, rule } from '../policies.ts';
import { qosSpecs, types, type Reader } from '../store/rows.ts';
import type { QosRow } from '../store/tables.ts';
import { asBoolean, json, links, listed, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const PATH = '/v3/qos-specs';
const consumer = Type.Union([Type.Literal('front-end'), Type.Literal('back-end'), Type.Literal('both')]);
const specs = Type.Unsafe<Record<string, string> & { consumer?: string; name?: string }>({ type: 'object', patternProperties: { '^[a-zA-Z0-9\\-_:. ]{1,255}$': { type: ['string', 'number', 'boolean'], maxLength: 255 } }, additionalProperties: false });
const listing: ListingRules = { filters: { name: { column: 'name', kind: 'text' }, consumer: { column: 'consumer', kind: 'text' }, id: { column: 'id', kind: 'text' } }, sort: { name: 'name', consumer: 'consumer' } };

const view = ({ id, name, consumer: who, specs_json }: QosRow) => ({ id, name, consumer: who, specs: json(specs_json) });

async function found(db: Reader, id: string): Promise<QosRow> {
  const row = await qosSpecs.find(db, id);
  if (row === undefined) throw qosNotFound(id);
  return row;
}

const associated = (db: Reader, id: string) => types.all(db, [{ column: 'qos_specs_id', op: 'eq', value: id }]);

/** `consumer` and specs, parted. @throws Fault 400 */
function parted(given: Record<string, string>): { consumer: string | undefined; rest: Record<string, string> } {
  const { name: _name, consumer: who, ...rest } = given;
  if (who !== undefined && !['front-end', 'back-end', 'both'].includes(who)) throw badRequest('block-storage.qos-invalid', "Valid consumer of QoS specs are: ['front-end', 'back-end', 'both']");
  return { consumer: who, rest: Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)])) };
}

const readEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'qos-specs:list', method: 'GET', path: PATH, summary: 'List QoS specs', policy: 'volume_extension:qos_specs_manage:get_all', status: 200, reply: listed('qos_specs'),
    async handler(call) {
      const asked = readListing(call, deps.config, listing);
      const page = await readPage(readerOf(deps), qosSpecs, call, { ...asked, filters: asked.filters.filter(({ column }) => column !== 'project_id') }, 'qos_specs');
      return { qos_specs: page.rows.map(view), ...page.more };
    },
  }),
  endpoint({
    id: 'qos-specs:create', method: 'POST', path: PATH, summary: 'Make QoS specs', policy: 'volume_extension:qos_specs_manage:create', status: 200, reply: shown('qos_specs'),
    body: wrapped('qos_specs', Type.Object({ name: Type.String({ minLength: 1, maxLength: 255, pattern: '\\S' }), consumer: Type.Optional(consumer) }, { additionalProperties: true })),
    async handler(call) {
      const { consumer: who, rest } = parted(call.body.qos_specs as Record<string, string>);
      const row = { id: uuid(), name: call.body.qos_specs.name.trim(), consumer: who ?? 'back-end', specs_json: JSON.stringify(rest), created_at: isoMicros(deps.clock.now()) };
      await deps.db.transaction((tx) => qosSpecs.insert(tx, row)).catch((error: unknown) => {
        if (isUniqueViolation(error, 'name')) throw conflict('block-storage.qos-exists', `QoS Specs ${row.name} already exists.`);
        throw error;
      });
      return { qos_specs: view(row), links: links(call, 'qos-specs', row.id) };
    },
  }),
  endpoint({
    id: 'qos-specs:show', method: 'GET', path: `${PATH}/{id}`, summary: 'Show QoS specs', policy: 'volume_extension:qos_specs_manage:get', status: 200, reply: shown('qos_specs'),
    handler: async (call) => ({ qos_specs: view(await found(readerOf(deps), call.params.id)), links: links(call, 'qos-specs', call.params.id) }),
  }),
];

const changeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'qos-specs:update', method: 'PUT', path: `${PATH}/{id}`, summary: 'Set QoS specs', policy: 'volume_extension:qos_specs_manage:update', status: 200, body: wrapped('qos_specs', specs), reply: shown('qos_specs', {}),
    async handler(call) {
      const { consumer: who, rest } = parted(call.body.qos_specs);
      await deps.db.transaction(async (tx) => {
        const row = await found(tx, call.params.id);
        await qosSpecs.update(tx, row.id, { specs_json: JSON.stringify({ ...json(row.specs_json), ...rest }), ...(who === undefined ? {} : { consumer: who }) });
      });
      return { qos_specs: call.body.qos_specs };
    },
  }),
  endpoint({
    id: 'qos-specs:delete-keys', method: 'PUT', path: `${PATH}/{id}/delete_keys`, summary: 'Unset QoS specs', policy: 'volume_extension:qos_specs_manage:update', status: 202, body: wrapped('keys', Type.Array(Type.String())),
    async handler(call) {
      await deps.db.transaction(async (tx) => {
        const row = await found(tx, call.params.id);
        const had = json(row.specs_json);
        const unknown = call.body.keys.find((key) => !Object.hasOwn(had, key));
        if (unknown !== undefined) throw notFound('block-storage.qos-no-key', `QoS spec ${row.id} has no spec with key ${unknown}.`);
        await qosSpecs.update(tx, row.id, { specs_json: JSON.stringify(Object.fromEntries(Object.entries(had).filter(([key]) => !call.body.keys.includes(key)))) });
      });
      return reply();
    },
  }),
  endpoint({
    id: 'qos-specs:delete', method: 'DELETE', path: `${PATH}/{id}`, summary: 'Delete QoS specs', policy: 'volume_extension:qos_specs_manage:delete', status: 202,
    async handler(call) {
      await deps.db.transaction(async (tx) => {
        const { id } = await found(tx, call.params.id);
        const held = await associated(tx, id);
        if (held.length > 0 && !asBoolean(call.url.searchParams.get('force') ?? false)) throw badRequest('block-storage.qos-in-use', `QoS Specs ${id} is still associated with entities.`);
        for (const type of held) await types.update(tx, type.id, { qos_specs_id: null });
        await qosSpecs.remove(tx, id);
      });
      return reply();
    },
  }),
];

const associations = (deps: BlockStorageDeps): Endpoint[] => {
  const link = (call: Pick<Call<{ id: string }>, 'params' | 'url'>, change: (qos_id: string, had: string | null) => string | null) => deps.db.transaction(async (tx) => {
    const { id } = await found(tx, call.params.id);
    const type_id = call.url.searchParams.get('vol_type_id') ?? '';
    const type = await types.find(tx, type_id);
    if (type === undefined) throw typeNotFound(type_id);
    await types.update(tx, type.id, { qos_specs_id: change(id, type.qos_specs_id) });
  });
  const one = `${PATH}/{id}` as const;
  return [
    endpoint({
      id: 'qos-specs:associations', method: 'GET', path: `${one}/associations`, summary: 'List the types that QoS specs are for', policy: 'volume_extension:qos_specs_manage:get_all', status: 200, reply: Type.Object({ qos_associations: Type.Array(Type.Object({})) }),
      async handler(call) {
        const { id } = await found(readerOf(deps), call.params.id);
        return { qos_associations: (await associated(readerOf(deps), id)).map((type) => ({ association_type: 'volume_type', name: type.name, id: type.id })) };
      },
    }),
    endpoint({
      id: 'qos-specs:associate', method: 'GET', path: `${one}/associate`, summary: 'Give QoS specs to a type', policy: 'volume_extension:qos_specs_manage:update', status: 202,
      async handler(call) {
        await link(call, (id, had) => {
          if (had !== null && had !== id) throw badRequest('block-storage.qos-associated', 'Invalid volume type: the type is already associated with another QoS specs.');
          return id;
        });
        return reply();
      },
    }),
    endpoint({
      id: 'qos-specs:disassociate', method: 'GET', path: `${one}/disassociate`, summary: 'Take QoS specs from a type', policy: 'volume_extension:qos_specs_manage:update', status: 202,
      async handler(call) {
        await link(call, () => null);
        return reply();
      },
    }),
    endpoint({
      id: 'qos-specs:disassociate-all', method: 'GET', path: `${one}/disassociate_all`, summary: 'Take QoS specs from all types', policy: 'volume_extension:qos_specs_manage:update', status: 202,
      async handler(call) {
        await deps.db.transaction(async (tx) => {
          for (const type of await associated(tx, (await found(tx, call.params.id)).id)) await types.update(tx, type.id, { qos_specs_id: null });
        });
        return reply();
      },
    }),
  ];
};

export const qosEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...readEndpoints(deps), ...changeEndpoints(deps), ...associations(deps)];

const rules = 'volume_extension:qos_specs_manage';
const one = '/qos-specs/{id}';

export const qosPolicies: PolicyRule[] = [
  rule(`${rules}:get_all`, ADMIN, 'List QoS specs and their types.', 'GET /qos-specs', `GET ${one}/associations`),
  rule(`${rules}:get`, ADMIN, 'Show QoS specs.', `GET ${one}`),
  rule(`${rules}:create`, ADMIN, 'Make QoS specs.', 'POST /qos-specs'),
  rule(`${rules}:update`, ADMIN, 'Change QoS specs, and whom they are for.', `PUT ${one}`, `PUT ${one}/delete_keys`, `GET ${one}/associate`, `GET ${one}/disassociate`, `GET ${one}/disassociate_all`),
  rule(`${rules}:delete`, ADMIN, 'Delete QoS specs.', `DELETE ${one}`),
];

import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { booleanFrom, nullable } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { createFlavor, describeFlavor, extraSpecsOf, type NewFlavor, removeFlavor, requireFlavor } from '../model/flavors.ts';
import { listFlavors } from '../store/flavors.ts';
import type { FlavorRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { pageLimit, pagingQuery, resourceLinks, strictQuery } from './common.ts';
import { asBoolean, link, looseBoolean, nameText } from './parameters.ts';
import { ADMIN, rule } from './rules.ts';
import { isAdmin, readerOf } from './server-target.ts';

const MAX_INT = 0x7fffffff;
const MAX_FLOAT = 3.40282e38;

const amount = (minimum: number) => Type.Union([Type.Integer({ minimum, maximum: MAX_INT }), Type.String({ minLength: 1, pattern: '^[0-9]+$' })]);
const description = nullable(Type.String({ maxLength: 65535, pattern: '^[^\\p{C}\\p{Zl}\\p{Zp}]*$' }));

const newFlavor = Type.Object(
  {
    name: nameText,
    id: Type.Optional(nullable(Type.Union([Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$' }), Type.Number()]))),
    ram: amount(1),
    vcpus: amount(1),
    disk: amount(0),
    'OS-FLV-EXT-DATA:ephemeral': Type.Optional(amount(0)),
    swap: Type.Optional(amount(0)),
    rxtx_factor: Type.Optional(Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: MAX_FLOAT }), Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$' })])),
    'os-flavor-access:is_public': Type.Optional(looseBoolean),
    description: Type.Optional(since(versions.FLAVOR_DESCRIPTION, description)),
  },
  { additionalProperties: false },
);

const flavorBrief = { id: Type.String(), name: Type.String(), links: Type.Array(link), description: since(versions.FLAVOR_DESCRIPTION, nullable(Type.String())) };

const flavorReply = Type.Object({
  ...flavorBrief,
  ram: Type.Integer(),
  disk: Type.Integer(),
  swap: Type.Union([Type.Integer(), Type.Literal('')]),
  vcpus: Type.Integer(),
  rxtx_factor: Type.Number(),
  'OS-FLV-EXT-DATA:ephemeral': Type.Integer(),
  'OS-FLV-DISABLED:disabled': Type.Boolean(),
  'os-flavor-access:is_public': Type.Boolean(),
  extra_specs: Type.Optional(since(versions.FLAVOR_EXTRA_SPECS, Type.Record(Type.String(), Type.String()))),
});

const SORT_KEYS = {
  created_at: 'created_at', description: 'description', disabled: 'disabled', ephemeral_gb: 'ephemeral_gb', flavorid: 'id',
  // The order in which they were made.
  id: 'created_at', is_public: 'is_public', memory_mb: 'ram_mb', name: 'name', root_gb: 'disk_gb', rxtx_factor: 'rxtx_factor',
  swap: 'swap_mb', updated_at: 'updated_at', vcpu_weight: 'id', vcpus: 'vcpus',
} as const;
const NULLABLE: ReadonlySet<string> = new Set(['description', 'updated_at']);

const listQuery = Type.Object({
  ...pagingQuery,
  is_public: Type.Optional(Type.String()),
  minRam: Type.Optional(Type.String()),
  minDisk: Type.Optional(Type.String()),
  sort_key: Type.Optional(Type.Union(Object.keys(SORT_KEYS).map((key) => Type.Literal(key as keyof typeof SORT_KEYS)))),
  sort_dir: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
});

type ListCall = Call<unknown, Static<typeof listQuery>>;

/** As nova shows a flavor; what a version does not have is dropped by the reply's schema. */
export function flavorView(call: Pick<Call, 'base' | 'version'>, row: FlavorRow, showSpecs: boolean): Static<typeof flavorReply> {
  return {
    id: row.id,
    name: row.name,
    ram: row.ram_mb,
    disk: row.disk_gb,
    swap: row.swap_mb === 0 && call.version < versions.STRICT_QUERIES ? '' : row.swap_mb,
    vcpus: row.vcpus,
    rxtx_factor: row.rxtx_factor,
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral_gb,
    'OS-FLV-DISABLED:disabled': row.disabled === 1,
    'os-flavor-access:is_public': row.is_public === 1,
    description: row.description,
    links: resourceLinks(call.base, 'flavors', row.id),
    ...(showSpecs ? { extra_specs: extraSpecsOf(row) } : {}),
  };
}

function flavorBriefView(call: Pick<Call, 'base'>, row: FlavorRow) {
  return { id: row.id, name: row.name, description: row.description, links: resourceLinks(call.base, 'flavors', row.id) };
}

const mayReadSpecs = (call: Pick<Call, 'allows'>): boolean => call.allows('os_compute_api:os-flavor-extra-specs:index');

function whichKind(call: Pick<Call, 'allows'>, text: string | undefined): boolean | undefined {
  if (!isAdmin(call) || text === undefined) return true;
  if (text.toLowerCase() === 'none') return undefined;
  const value = booleanFrom(text);
  if (value === undefined) throw badRequest('compute.flavor-filter', `Invalid is_public filter [${text}]`);
  return value;
}

function integerFilter(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) throw badRequest('compute.flavor-filter', `Invalid ${name} filter [${text}]`);
  return Number(text);
}

async function select(deps: ComputeDeps, call: ListCall): Promise<{ rows: FlavorRow[]; links: object }> {
  strictQuery(call, Object.keys(listQuery.properties));
  const { query } = call;
  const column = SORT_KEYS[query.sort_key ?? 'flavorid'];
  const found = await listFlavors(readerOf(deps), {
    is_public: whichKind(call, query.is_public),
    project_id: call.auth.project_id,
    min_ram_mb: integerFilter('minRam', query.minRam),
    min_disk_gb: integerFilter('minDisk', query.minDisk),
    sort: [{ column, direction: query.sort_dir ?? 'asc', nullable: NULLABLE.has(column) }],
    marker: query.marker,
    limit: pageLimit(deps.config, query.limit),
  });
  if (found === undefined) throw badRequest('compute.marker-not-found', `marker [${query.marker}] not found`);
  const next = nextLinks(call, found.more, found.rows.at(-1)?.id);
  return { rows: found.rows, links: next === undefined ? {} : { flavors_links: next } };
}

function integer(value: number | string, name: string, minimum: number): number {
  const number = Number(value);
  if (number < minimum || number > MAX_INT) {
    throw badRequest('compute.flavor-invalid', `Invalid input received: ${name} must be ${number < minimum ? '>=' : '<='} ${number < minimum ? minimum : MAX_INT}`);
  }
  return number;
}

function wanted(flavor: Static<typeof newFlavor>): NewFlavor {
  const rxtx_factor = Number(flavor.rxtx_factor ?? 1);
  if (!(rxtx_factor > 0 && rxtx_factor <= MAX_FLOAT)) {
    throw badRequest('compute.flavor-invalid', `Invalid input received: 'rxtx_factor' argument must be a float between 0 and ${MAX_FLOAT}`);
  }
  return {
    // Nova takes 0 and null as "make one up".
    id: flavor.id === null || flavor.id === undefined || flavor.id === 0 ? undefined : String(flavor.id),
    name: flavor.name.trim(),
    vcpus: integer(flavor.vcpus, 'vcpus', 1),
    ram_mb: integer(flavor.ram, 'ram', 1),
    disk_gb: integer(flavor.disk, 'disk', 0),
    ephemeral_gb: integer(flavor['OS-FLV-EXT-DATA:ephemeral'] ?? 0, 'ephemeral', 0),
    swap_mb: integer(flavor.swap ?? 0, 'swap', 0),
    rxtx_factor,
    is_public: asBoolean(flavor['os-flavor-access:is_public'] ?? true),
    description: flavor.description ?? null,
  };
}

const one = Type.Object({ flavor: flavorReply });

export const flavorEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'flavors:list', method: 'GET', path: '/v2.1/flavors', summary: 'List flavors', policy: 'regular_user', status: 200,
    query: listQuery,
    reply: Type.Object({ flavors: Type.Array(Type.Object(flavorBrief)) }),
    async handler(call) {
      const { rows, links } = await select(deps, call);
      return { flavors: rows.map((row) => flavorBriefView(call, row)), ...links };
    },
  }),
  endpoint({
    id: 'flavors:detail', method: 'GET', path: '/v2.1/flavors/detail', summary: 'List flavors with all they have', policy: 'regular_user', status: 200,
    query: listQuery,
    reply: Type.Object({ flavors: Type.Array(flavorReply) }),
    async handler(call) {
      const { rows, links } = await select(deps, call);
      const showSpecs = mayReadSpecs(call);
      return { flavors: rows.map((row) => flavorView(call, row, showSpecs)), ...links };
    },
  }),
  endpoint({
    id: 'flavors:show', method: 'GET', path: '/v2.1/flavors/{flavor_id}', summary: 'Show a flavor', policy: 'regular_user', status: 200, reply: one,
    async handler(call) {
      const row = await requireFlavor(deps, call.params.flavor_id, { project_id: call.auth.project_id, is_admin: isAdmin(call) });
      return { flavor: flavorView(call, row, mayReadSpecs(call)) };
    },
  }),
  endpoint({
    id: 'flavors:create', method: 'POST', path: '/v2.1/flavors', summary: 'Create a flavor', policy: 'os_compute_api:os-flavor-manage:create', status: 200,
    body: Type.Object({ flavor: newFlavor }, { additionalProperties: false }),
    reply: one,
    async handler(call) {
      const row = await createFlavor(deps, wanted(call.body.flavor));
      return { flavor: flavorView(call, row, mayReadSpecs(call)) };
    },
  }),
  endpoint({
    id: 'flavors:update', method: 'PUT', path: '/v2.1/flavors/{flavor_id}', summary: 'Change the description of a flavor',
    policy: 'os_compute_api:os-flavor-manage:update', status: 200, since: versions.FLAVOR_DESCRIPTION,
    body: Type.Object({ flavor: Type.Object({ description }, { additionalProperties: false }) }, { additionalProperties: false }),
    reply: one,
    async handler(call) {
      const row = await describeFlavor(deps, call.params.flavor_id, call.body.flavor.description);
      return { flavor: flavorView(call, row, mayReadSpecs(call)) };
    },
  }),
  endpoint({
    id: 'flavors:delete', method: 'DELETE', path: '/v2.1/flavors/{flavor_id}', summary: 'Delete a flavor',
    policy: 'os_compute_api:os-flavor-manage:delete', status: 202,
    async handler(call) {
      await removeFlavor(deps, call.params.flavor_id);
      return reply();
    },
  }),
];

export const flavorPolicies: PolicyRule[] = [
  rule('os-flavor-manage:create', ADMIN, 'Create a flavor.', 'POST /flavors'),
  rule('os-flavor-manage:update', ADMIN, 'Change the description of a flavor.', 'PUT /flavors/{flavor_id}'),
  rule('os-flavor-manage:delete', ADMIN, 'Delete a flavor.', 'DELETE /flavors/{flavor_id}'),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { Resources } from '../client.ts';
import type { PlacementDeps } from '../deps.ts';
import { type ConsumerClaim, releaseAllocations, replaceAllocations } from '../model/allocations.ts';
import { uuidString } from '../../../kernel/api/schema.ts';
import { allocationsOf } from '../store/allocations.ts';
import { consumerOf, generationsOf } from '../store/consumers.ts';
import { ALLOCATION_DICT, ALLOCATION_OWNER, MANY_ALLOCATIONS } from '../versions.ts';

const resources = Type.Record(Type.String({ pattern: '^[A-Z0-9_]+$' }), Type.Integer({ minimum: 1 }), { minProperties: 1 });
const owner = { project_id: Type.String({ minLength: 1, maxLength: 255 }), user_id: Type.String({ minLength: 1, maxLength: 255 }) };
const byProvider = (least: number) => Type.Record(Type.String({ pattern: '^[0-9a-fA-F-]{32,36}$' }), Type.Object({ resources, generation: Type.Optional(Type.Integer()) }, { additionalProperties: false }), { minProperties: least });
const list = Type.Array(Type.Object({ resource_provider: Type.Object({ uuid: uuidString }, { additionalProperties: false }), resources }, { additionalProperties: false }), { minItems: 1 });
const ONE = '/allocations/{consumer_uuid}';
/** Who holds what was claimed before owners were named. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

async function view(deps: PlacementDeps, consumer_id: string, version: number) {
  const rows = await allocationsOf(deps.db.read, consumer_id);
  const generations = await generationsOf(deps.db.read, rows.map((row) => row.provider_id));
  const allocations: Record<string, { resources: Resources; generation: number }> = {};
  for (const row of rows) (allocations[row.provider_id] ??= { resources: {}, generation: generations.get(row.provider_id) ?? 0 }).resources[row.resource_class] = row.used;
  const consumer = version >= ALLOCATION_DICT ? await consumerOf(deps.db.read, consumer_id) : undefined;
  return { allocations, ...(consumer ? { project_id: consumer.project_id, user_id: consumer.user_id } : {}) };
}

const fromList = (entries: { resource_provider: { uuid: string }; resources: Resources }[]): Map<string, Resources> => new Map(entries.map((entry) => [entry.resource_provider.uuid.toLowerCase(), entry.resources]));
const fromDict = (entries: Record<string, { resources: Resources }>): Map<string, Resources> => new Map(Object.entries(entries).map(([id, entry]) => [id.toLowerCase(), entry.resources]));

export const allocationEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({ id: 'allocations:show', method: 'GET', path: ONE, summary: 'What a consumer holds', policy: 'placement:allocations:list', status: 200, handler: (call) => view(deps, call.params.consumer_uuid.toLowerCase(), call.version) }),
  ...replaceEndpoints(deps),
  endpoint({
    id: 'allocations:manage', method: 'POST', path: '/allocations', summary: 'Replace what several consumers hold', policy: 'placement:allocations:manage', status: 204, since: MANY_ALLOCATIONS,
    body: Type.Record(Type.String({ pattern: '^[0-9a-fA-F-]{32,36}$' }), Type.Object({ allocations: byProvider(0), ...owner }, { additionalProperties: false }), { minProperties: 1 }),
    async handler(call) {
      const claims = Object.entries(call.body as Record<string, { allocations: Record<string, { resources: Resources }>; project_id: string; user_id: string }>).map(
        ([id, entry]): ConsumerClaim => ({ consumer_id: id.toLowerCase(), project_id: entry.project_id, user_id: entry.user_id, allocations: fromDict(entry.allocations) }),
      );
      await replaceAllocations(deps, claims);
      return undefined;
    },
  }),
  endpoint({
    id: 'allocations:delete', method: 'DELETE', path: ONE, summary: 'Give back what a consumer holds', policy: 'placement:allocations:delete', status: 204,
    async handler(call) {
      const id = call.params.consumer_uuid.toLowerCase();
      await releaseAllocations(deps, id, await allocationsOf(deps.db.read, id));
      return undefined;
    },
  }),
];

/** The body's shape changed twice. */
function replaceEndpoints(deps: PlacementDeps): Endpoint[] {
  const common = { method: 'PUT', path: ONE, summary: 'Replace what a consumer holds', policy: 'placement:allocations:update', status: 204 } as const;
  const write = async (consumer: string, project_id: string, user_id: string, allocations: Map<string, Resources>): Promise<undefined> => {
    await replaceAllocations(deps, [{ consumer_id: consumer.toLowerCase(), project_id, user_id, allocations }]);
  };
  return [
    endpoint({ ...common, id: 'allocations:replace-1.0', until: ALLOCATION_OWNER - 1, body: Type.Object({ allocations: list }, { additionalProperties: false }), handler: (call) => write(call.params.consumer_uuid, NOBODY, NOBODY, fromList(call.body.allocations)) }),
    endpoint({ ...common, id: 'allocations:replace-1.8', since: ALLOCATION_OWNER, until: ALLOCATION_DICT - 1, body: Type.Object({ allocations: list, ...owner }, { additionalProperties: false }), handler: (call) => write(call.params.consumer_uuid, call.body.project_id, call.body.user_id, fromList(call.body.allocations)) }),
    endpoint({ ...common, id: 'allocations:replace', since: ALLOCATION_DICT, body: Type.Object({ allocations: byProvider(1), ...owner }, { additionalProperties: false }), handler: (call) => write(call.params.consumer_uuid, call.body.project_id, call.body.user_id, fromDict(call.body.allocations as never)) }),
  ];
}

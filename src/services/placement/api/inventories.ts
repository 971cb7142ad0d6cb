import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import type { PlacementDeps } from '../deps.ts';
import { toInventory } from '../model/placement.ts';
import { changeInventories, findInventory, getProvider, inventoryRow } from '../model/resource-providers.ts';
import { STANDARD_CLASSES } from '../model/resource-classes.ts';
import { inventoriesOf } from '../store/resource-providers.ts';
import type { InventoryRow } from '../store/tables.ts';
import { listNames } from '../store/names.ts';
import { DELETE_INVENTORIES } from '../versions.ts';

const count = (minimum: number) => Type.Optional(Type.Integer({ minimum, maximum: 2_147_483_647 }));
const figures = {
  total: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), reserved: count(0), min_unit: count(1), max_unit: count(1), step_size: count(1),
  allocation_ratio: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
};
const generation = Type.Integer({ minimum: 0 });
const inventory = Type.Object(figures, { additionalProperties: false });
const ALL = '/resource_providers/{uuid}/inventories';
const ONE = `${ALL}/{resource_class}` as const;

async function viewAll(deps: PlacementDeps, id: string, rows?: InventoryRow[]) {
  const provider = await getProvider(deps, id);
  const found = rows ?? (await inventoriesOf(deps.db.read, provider.id));
  return { resource_provider_generation: provider.generation, inventories: Object.fromEntries(found.map((row) => [row.resource_class, toInventory(row)])) };
}

async function checkClasses(deps: PlacementDeps, names: string[]): Promise<void> {
  const known = new Set([...STANDARD_CLASSES, ...(await listNames(deps.db.read, 'placement_custom_classes'))]);
  const strange = names.filter((name) => !known.has(name));
  if (strange.length > 0) throw badRequest('placement.class-unknown', `Unknown resource class in inventory: No such resource class ${strange.join(', ')}.`);
}

const viewOne = async (deps: PlacementDeps, id: string, row: InventoryRow) => ({ resource_provider_generation: (await getProvider(deps, id)).generation, ...toInventory(row) });

export const inventoryEndpoints = (deps: PlacementDeps): Endpoint[] => [...collection(deps), ...single(deps)];

const collection = (deps: PlacementDeps): Endpoint[] => [
  endpoint({ id: 'inventories:list', method: 'GET', path: ALL, summary: 'List inventories', policy: 'placement:resource_providers:inventories:list', status: 200, handler: (call) => viewAll(deps, call.params.uuid) }),
  endpoint({
    id: 'inventories:replace', method: 'PUT', path: ALL, summary: 'Replace all inventories', policy: 'placement:resource_providers:inventories:update', status: 200,
    body: Type.Object({ resource_provider_generation: generation, inventories: Type.Record(Type.String({ pattern: '^[A-Z0-9_]+$' }), inventory) }, { additionalProperties: false }),
    async handler(call) {
      const { inventories, resource_provider_generation } = call.body;
      await checkClasses(deps, Object.keys(inventories));
      const rows = Object.entries(inventories).map(([name, asked]) => inventoryRow(call.params.uuid.toLowerCase(), name, asked as never));
      return viewAll(deps, call.params.uuid, await changeInventories(deps, call.params.uuid, resource_provider_generation, () => rows));
    },
  }),
  endpoint({
    id: 'inventories:create', method: 'POST', path: ALL, summary: 'Add an inventory', policy: 'placement:resource_providers:inventories:create', status: 201,
    body: Type.Object({ resource_class: Type.String({ pattern: '^[A-Z0-9_]+$', maxLength: 255 }), resource_provider_generation: Type.Optional(generation), ...figures }, { additionalProperties: false }),
    async handler(call) {
      const { resource_class, resource_provider_generation, ...asked } = call.body;
      await checkClasses(deps, [resource_class]);
      const provider = await getProvider(deps, call.params.uuid);
      const row = inventoryRow(provider.id, resource_class, asked as never);
      await changeInventories(deps, provider.id, resource_provider_generation ?? provider.generation, (now) => {
        if (now.some((one) => one.resource_class === resource_class)) throw conflict('placement.inventory-exists', `Update conflict: inventory of ${resource_class} is there already`);
        return [...now, row];
      });
      return reply(await viewOne(deps, provider.id, row), { headers: { location: `${call.base}/resource_providers/${provider.id}/inventories/${resource_class}` } });
    },
  }),
  endpoint({
    id: 'inventories:delete-all', method: 'DELETE', path: ALL, summary: 'Delete all inventories', policy: 'placement:resource_providers:inventories:delete', status: 204, since: DELETE_INVENTORIES,
    async handler(call) {
      await changeInventories(deps, call.params.uuid, (await getProvider(deps, call.params.uuid)).generation, () => []);
      return undefined;
    },
  }),
];

const single = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'inventories:show', method: 'GET', path: ONE, summary: 'Show an inventory', policy: 'placement:resource_providers:inventories:show', status: 200,
    async handler(call) {
      const provider = await getProvider(deps, call.params.uuid);
      return viewOne(deps, provider.id, findInventory(await inventoriesOf(deps.db.read, provider.id), provider.id, call.params.resource_class));
    },
  }),
  endpoint({
    id: 'inventories:update', method: 'PUT', path: ONE, summary: 'Replace an inventory', policy: 'placement:resource_providers:inventories:update', status: 200,
    body: Type.Object({ resource_provider_generation: generation, ...figures }, { additionalProperties: false }),
    async handler(call) {
      const { resource_provider_generation, ...asked } = call.body;
      const { uuid, resource_class } = call.params;
      const provider = await getProvider(deps, uuid);
      const row = inventoryRow(provider.id, resource_class, asked as never);
      await changeInventories(deps, provider.id, resource_provider_generation, (now) => {
        if (!now.some((one) => one.resource_class === resource_class)) throw badRequest('placement.inventory-missing', `No inventory record with resource class ${resource_class} exists for ${provider.id}`);
        return now.map((one) => (one.resource_class === resource_class ? row : one));
      });
      return viewOne(deps, provider.id, row);
    },
  }),
  endpoint({
    id: 'inventories:delete', method: 'DELETE', path: ONE, summary: 'Delete an inventory', policy: 'placement:resource_providers:inventories:delete', status: 204,
    async handler(call) {
      const provider = await getProvider(deps, call.params.uuid);
      await changeInventories(deps, provider.id, provider.generation, (now) => {
        findInventory(now, provider.id, call.params.resource_class);
        return now.filter((one) => one.resource_class !== call.params.resource_class);
      });
      return undefined;
    },
  }),
];


import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../deps.ts';
import { IMPORT_METHODS } from '../model/image-import.ts';
import { quotaUsage } from '../model/quotas.ts';

const stores = Type.Object({ stores: Type.Array(Type.Object({ id: Type.String(), default: Type.Optional(Type.String()) })) });

/** What this image service can do beyond the plain upload. */
export const infoEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'info:import', method: 'GET', path: '/v2/info/import', summary: 'Import methods', policy: 'regular_user', status: 200,
    handler: () => ({ 'import-methods': { description: 'Import methods available.', type: 'array', value: IMPORT_METHODS } }),
  }),
  endpoint({
    id: 'info:stores', method: 'GET', path: '/v2/info/stores', summary: 'Stores', policy: 'regular_user', status: 200, reply: stores,
    handler: () => ({ stores: deps.stores.ids.map((id) => storeView(deps, id)) }),
  }),
  endpoint({
    id: 'info:stores-detail', method: 'GET', path: '/v2/info/stores/detail', summary: 'Stores and how they work', policy: 'stores_info_detail', status: 200, reply: stores,
    handler: () => ({
      stores: deps.stores.ids.map((id) => ({ ...storeView(deps, id), type: deps.stores.folderOf(id) === undefined ? 's3' : 'file', weight: 0, properties: { data_dir: deps.stores.folderOf(id) ?? '', chunk_size: 1 << 20, thin_provisioning: false } })),
    }),
  }),
  endpoint({
    id: 'info:usage', method: 'GET', path: '/v2/info/usage', summary: 'What the project uses of its quotas', policy: 'regular_user', status: 200,
    reply: Type.Object({ usage: Type.Record(Type.String(), Type.Object({ usage: Type.Integer(), limit: Type.Integer() })) }),
    handler: async (call) => ({ usage: await quotaUsage(deps, call.auth.project_id ?? '') }),
  }),
];

const storeView = (deps: ImageDeps, id: string) => ({ id, ...(id === deps.stores.default_id ? { default: 'true' } : {}) });

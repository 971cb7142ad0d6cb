import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';

/** What this image service can do beyond the plain upload: so far no import method, one store. */
export const infoEndpoints = (): Endpoint[] => [
  endpoint({
    id: 'info:import', method: 'GET', path: '/v2/info/import', summary: 'Import methods', policy: 'get_images', status: 200,
    handler: () => ({ 'import-methods': { description: 'Import methods available.', type: 'array', value: [] } }),
  }),
  endpoint({
    id: 'info:stores', method: 'GET', path: '/v2/info/stores', summary: 'Stores', policy: 'get_images', status: 200,
    handler: () => {
      throw notFound('image.single-store', 'Multi backend is not supported at this site.');
    },
  }),
];

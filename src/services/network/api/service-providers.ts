import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';

/** No service here has exchangeable providers: the list is empty. */
export function serviceProviderEndpoints(): Endpoint[] {
  return [
    endpoint({
      id: 'service-providers:list', method: 'GET', path: '/v2.0/service-providers', summary: 'List service providers', policy: 'get_service_provider', status: 200,
      reply: Type.Object({ service_providers: Type.Array(Type.Unknown()) }),
      handler: () => ({ service_providers: [] }),
    }),
  ];
}

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { VERSION } from '../versions.ts';

const CORE = { network: 'networks', subnet: 'subnets', port: 'ports' };
const versions = Type.Object({ versions: Type.Array(Type.Object({ id: Type.String(), status: Type.String() })) });

export function versionEndpoints(): Endpoint[] {
  const list = (id: string, path: string): Endpoint => endpoint({
    id, method: 'GET', path, summary: 'What versions there are', policy: 'public', reply: versions, status: 200,
    handler: (call) => ({ versions: [{ id: VERSION, status: 'CURRENT', links: [{ rel: 'self', href: `${call.base}/${VERSION}/` }] }] }),
  });
  const resources = endpoint({
    id: 'versions:resources', method: 'GET', path: `/${VERSION}/`, summary: 'The core resources', policy: 'regular_user', status: 200,
    reply: Type.Object({ resources: Type.Array(Type.Object({ name: Type.String(), collection: Type.String() })) }),
    handler: (call) => ({ resources: Object.entries(CORE).map(([name, collection]) => ({ links: [{ rel: 'self', href: `${call.base}/${VERSION}/${collection}` }], name, collection })) }),
  });
  return [list('versions:list', '/'), list('versions:list-bare', ''), resources];
}

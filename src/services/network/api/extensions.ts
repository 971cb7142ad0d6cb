import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { extensionNotFound } from '../faults.ts';
import { extensions } from '../extensions.ts';
import { pick } from './list-query.ts';

const extension = Type.Object({ alias: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });

export function extensionEndpoints(): Endpoint[] {
  return [
    endpoint({
      id: 'extensions:list', method: 'GET', path: '/v2.0/extensions', summary: 'List what this service can beyond the core', policy: 'regular_user', status: 200,
      reply: Type.Object({ extensions: Type.Array(extension) }),
      handler: (call) => ({ extensions: extensions.map((one) => pick({ ...one }, call.url.searchParams.getAll('fields'))) }),
    }),
    endpoint({
      id: 'extensions:show', method: 'GET', path: '/v2.0/extensions/{alias}', summary: 'Show an extension', policy: 'regular_user', status: 200,
      reply: Type.Object({ extension }),
      handler: (call) => {
        const found = extensions.find((one) => one.alias === call.params.alias);
        if (found === undefined) throw extensionNotFound(call.params.alias);
        return { extension: pick({ ...found }, call.url.searchParams.getAll('fields')) };
      },
    }),
  ];
}

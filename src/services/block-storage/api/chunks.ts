/** What backups consist of comes from nodes, and goes to them. */
import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { BlockStorageDeps } from '../deps.ts';

const path = '/agent/chunks/{chain}/{digest}';

export const chunkEndpoints = ({ chunks }: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'chunks:node-send', method: 'PUT', path, summary: 'Send a part of a backup', policy: 'node', status: 201, body: 'stream', reply: Type.Object({}),
    async handler(call) {
      await chunks.put(call.params.chain, call.params.digest, call.stream);
      return {};
    },
  }),
  endpoint({
    id: 'chunks:node-receive', method: 'GET', path, summary: 'Receive a part of a backup', policy: 'node', status: 200, reply: 'stream',
    handler: async (call) => reply(await chunks.open(call.params.chain, call.params.digest), { headers: { 'content-type': 'application/octet-stream' } }),
  }),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { LayerRelay } from '../model/layer-relay.ts';

const path = '/agent/moves/{move_id}';

export const layerRelayEndpoints = (relay: LayerRelay): Endpoint[] => [
  endpoint({
    id: 'moves:node-send', method: 'PUT', path, summary: 'Send what a moving server has written', policy: 'node', status: 201, body: 'stream', reply: Type.Object({}),
    handler: async (call) => {
      await relay.send(call.params.move_id, call.node_id, call.stream);
      return {};
    },
  }),
  endpoint({
    id: 'moves:node-receive', method: 'GET', path, summary: 'Receive what a moving server has written', policy: 'node', status: 200, reply: 'stream',
    handler: (call) => reply(relay.receive(call.params.move_id, call.node_id), { headers: { 'content-type': 'application/octet-stream' } }),
  }),
];

/** The password that a guest has encrypted for its owner. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../deps.ts';
import { clearPassword, showPassword } from '../model/server-password.ts';
import { serverTarget } from './server-target.ts';

const path = '/v2.1/servers/{server_id}/os-server-password';

export const serverPasswordEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-password:show', method: 'GET', path, summary: 'Show the encrypted password of a server', policy: 'os_compute_api:os-server-password:show',
    target: serverTarget(deps), reply: Type.Object({ password: Type.String() }), status: 200,
    handler: async (call) => ({ password: await showPassword(deps, call.params.server_id) }),
  }),
  endpoint({
    id: 'server-password:clear', method: 'DELETE', path, summary: 'Forget the encrypted password of a server', policy: 'os_compute_api:os-server-password:clear',
    target: serverTarget(deps), status: 204,
    handler: (call) => clearPassword(deps, call.params.server_id),
  }),
];

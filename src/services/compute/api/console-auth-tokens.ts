import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { showConsoleToken } from '../model/consoles.ts';
import { versions } from '../versions.ts';
import { ADMIN, rule } from './rules.ts';

export const consoleAuthTokenEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'console-auth-tokens:show',
    method: 'GET',
    path: '/v2.1/os-console-auth-tokens/{token}',
    summary: 'Show which server a console token is for',
    policy: 'os_compute_api:os-console-auth-tokens',
    reply: Type.Object({
      console: Type.Object({ instance_uuid: Type.String(), host: nullable(Type.String()), port: Type.Integer(), internal_access_path: nullable(Type.String()) }),
    }),
    status: 200,
    handler: async (call) => {
      // Before, it was for the consoles of Hyper-V alone.
      if (call.version < versions.CONSOLE_TOKENS) throw badRequest('compute.removed', 'The server could not comply with the request since it is either malformed or otherwise incorrect.');
      const server = await showConsoleToken(deps, call.params.token);
      const { port, protocol } = new URL(call.base);
      return { console: { instance_uuid: server.id, host: server.host, port: Number(port || (protocol === 'https:' ? 443 : 80)), internal_access_path: null } };
    },
  }),
];

export const consoleAuthTokenPolicies: PolicyRule[] = [
  rule('os-console-auth-tokens', ADMIN, 'Show which server a console token is for.', 'GET /os-console-auth-tokens/{console_token}'),
];

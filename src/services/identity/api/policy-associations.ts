/** Which policy document holds for an endpoint, a service, or a service in a region (`OS-ENDPOINT-POLICY`). */
import { endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { assertAssociatedPolicy, associatePolicy, dissociatePolicy, policyOfEndpoint, type PolicyTarget } from '../model/policy-associations.ts';
import { findPolicy } from '../store/policies.ts';
import { endpointsOfPolicy } from '../store/policy-associations.ts';
import { entryReply, listReply, whole } from './lists.ts';
import { showPolicy } from './policies.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { showEndpoint } from './services.ts';

const BASE = '/v3/policies/{policy_id}/OS-ENDPOINT-POLICY';
const OF_ENDPOINT = '/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy';
const WAYS = [
  { name: 'endpoint', path: `${BASE}/endpoints/{endpoint_id}`, words: 'an endpoint' },
  { name: 'service', path: `${BASE}/services/{service_id}`, words: 'a service' },
  { name: 'region_and_service', path: `${BASE}/services/{service_id}/regions/{region_id}`, words: 'a service in a region' },
] as const;

export const policyAssociationRules: PolicyRule[] = [
  ...WAYS.flatMap(({ name, path, words }) => [
    rule(`create_policy_association_for_${name}`, ADMIN, SYSTEM_OR_PROJECT, `PUT ${path}`, `Let a policy hold for ${words}.`),
    rule(`check_policy_association_for_${name}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${path}`, `Ask whether a policy holds for ${words}.`),
    rule(`delete_policy_association_for_${name}`, ADMIN, SYSTEM_OR_PROJECT, `DELETE ${path}`, `Let a policy hold no more for ${words}.`),
  ]),
  rule('get_policy_for_endpoint', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${OF_ENDPOINT}`, 'Show the policy that holds for an endpoint.'),
  rule('list_endpoints_for_policy', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${BASE}/endpoints`, 'List the endpoints for which a policy holds.'),
];

export function policyAssociationEndpoints(identity: Identity): Endpoint[] {
  return [
    ...WAYS.flatMap((way) => associationEndpoints(identity, way)),
    endpoint({
      id: 'identity:get_policy_for_endpoint', method: 'GET', path: OF_ENDPOINT, summary: 'Show the policy of an endpoint', policy: 'identity:get_policy_for_endpoint', reply: entryReply('policy'), status: 200,
      handler: async (call) => ({ policy: showPolicy(identity, call, await policyOfEndpoint(identity, call.params.endpoint_id)) }),
    }),
    endpoint({
      id: 'identity:list_endpoints_for_policy', method: 'GET', path: `${BASE}/endpoints`, summary: 'List the endpoints of a policy', policy: 'identity:list_endpoints_for_policy', reply: listReply('endpoints'), status: 200,
      async handler(call) {
        const { policy_id } = (call).params as { policy_id: string };
        if ((await findPolicy(identity.db.read, policy_id)) === undefined) throw noSuch('policy', policy_id);
        const rows = await endpointsOfPolicy(identity.db.read, policy_id, identity.config.list_limit);
        return whole(identity, call, 'endpoints', rows.map((row) => showEndpoint(identity, call, row)));
      },
    }),
  ];
}

function associationEndpoints(identity: Identity, { name, path, words }: (typeof WAYS)[number]): Endpoint[] {
  const run = (work: (identity: Identity, policy_id: string, target: PolicyTarget) => Promise<void>) => async (call: PathCall) => {
    const { policy_id = '', ...target } = (call).params;
    await work(identity, policy_id, target);
    return reply();
  };
  const one = (verb: string, method: 'PUT' | 'GET' | 'DELETE', summary: string, work: Parameters<typeof run>[0]): Endpoint =>
    endpoint({ id: `identity:${verb}_policy_association_for_${name}`, method, path: path as string, summary, policy: `identity:${verb}_policy_association_for_${name}`, status: 204, handler: run(work) });
  return [
    one('create', 'PUT', `Let a policy hold for ${words}`, associatePolicy),
    one('check', 'GET', `Ask whether a policy holds for ${words}`, assertAssociatedPolicy),
    one('delete', 'DELETE', `Let a policy hold no more for ${words}`, dissociatePolicy),
  ];
}

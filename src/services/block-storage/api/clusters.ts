/** Groups of back ends that serve the same volumes: here each serves its own, so that there are none (cinder/api/v3/clusters.py). */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { ADMIN, rule } from '../policies.ts';
import { versions } from '../versions.ts';

export const clusterPolicies: PolicyRule[] = [
  rule('clusters:get_all', ADMIN, 'List clusters of back ends.', 'GET /clusters'),
  rule('clusters:get', ADMIN, 'Show a cluster of back ends.', 'GET /clusters/{name}'),
  rule('clusters:update', ADMIN, 'Change a cluster of back ends.', 'PUT /clusters/enable', 'PUT /clusters/disable'),
];

const absent = (name: string): Error => notFound('block-storage.cluster-not-found', `Cluster {'name': '${name}'} could not be found.`);
const reply = Type.Object({ clusters: Type.Array(Type.Object({ name: Type.String() })) });

export const clusterEndpoints = (): Endpoint[] => [
  ...(['', '/detail'] as const).map((path) =>
    endpoint({ id: `clusters:list${path}`, method: 'GET', path: `/v3/clusters${path}`, summary: 'List clusters of back ends', policy: 'clusters:get_all', since: versions.CLUSTERS, status: 200, reply, handler: () => ({ clusters: [] }) }),
  ),
  endpoint({
    id: 'clusters:show', method: 'GET', path: '/v3/clusters/{name}', summary: 'Show a cluster of back ends', policy: 'clusters:get', since: versions.CLUSTERS, status: 200,
    handler: (call) => {
      throw absent(call.params.name);
    },
  }),
  ...(['enable', 'disable'] as const).map((action) =>
    endpoint({
      id: `clusters:${action}`, method: 'PUT', path: `/v3/clusters/${action}`, summary: `Would ${action} a cluster of back ends`, policy: 'clusters:update', since: versions.CLUSTERS, status: 200,
      body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
      handler: (call) => {
        throw absent(call.body.name);
      },
    }),
  ),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { NetworkDeps } from '../deps.ts';
import { ZONE } from '../model/networks.ts';
import { pick, readList } from './list-query.ts';

/** One zone, for networks and routers, there as soon as a node is. */
export function availabilityZoneEndpoints(env: NetworkDeps): Endpoint[] {
  return [
    endpoint({
      id: 'availability-zones:list', method: 'GET', path: '/v2.0/availability_zones', summary: 'List availability zones', policy: 'get_availability_zone', status: 200,
      reply: Type.Object({ availability_zones: Type.Array(Type.Record(Type.String(), Type.Unknown())) }),
      handler: async (call) => {
        const { special, fields } = readList(call, {}, ['name', 'resource', 'state']);
        const nodes = [...(await env.nodes.nodes())].filter((node) => node.roles.includes('network'));
        const state = nodes.some((node) => node.state === 'up') ? 'available' : 'unavailable';
        const zones: Record<string, string>[] = nodes.length === 0 ? [] : ['network', 'router'].map((resource) => ({ name: ZONE, resource, state }));
        const matches = (zone: Record<string, string>): boolean => Object.entries(special).every(([name, values]) => values.includes(zone[name]!));
        return { availability_zones: zones.filter(matches).map((zone) => pick(zone, fields)) };
      },
    }),
  ];
}

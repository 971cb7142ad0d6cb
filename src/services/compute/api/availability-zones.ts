import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { INTERNAL_ZONE, listServices, type ServiceInfo } from '../model/services.ts';
import { ADMIN, ANYBODY, rule } from './rules.ts';

type Services = Record<string, { available: boolean; active: boolean; updated_at: string }>;

/** Zones by name: first those with an enabled service, then those where all are disabled. */
function zonesOf(services: readonly ServiceInfo[]): { name: string; available: boolean }[] {
  const open = new Set(services.filter(({ disabled }) => !disabled).map(({ zone }) => zone));
  const closed = new Set(services.map(({ zone }) => zone).filter((zone) => !open.has(zone)));
  const named = (zones: ReadonlySet<string>, available: boolean) => [...zones].sort().map((name) => ({ name, available }));
  return [...named(open, true), ...named(closed, false)];
}

function hostsOf(services: readonly ServiceInfo[], zone: string): Record<string, Services> {
  const hosts: Record<string, Services> = {};
  for (const service of services) {
    if (service.zone !== zone || service.disabled) continue;
    const at = (hosts[service.host] ??= {});
    at[service.binary] = { available: service.up, active: true, updated_at: isoMicrosNoZone(service.updated_at) };
  }
  return hosts;
}

const zoneReply = Type.Object({
  availabilityZoneInfo: Type.Array(
    Type.Object({
      zoneName: Type.String(),
      zoneState: Type.Object({ available: Type.Boolean() }),
      hosts: nullable(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
});

export const availabilityZoneEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'availability-zones:list', method: 'GET', path: '/v2.1/os-availability-zone', summary: 'List availability zones',
    policy: 'os_compute_api:os-availability-zone:list', status: 200, reply: zoneReply,
    async handler() {
      const zones = zonesOf(await listServices(deps)).filter(({ name }) => name !== INTERNAL_ZONE);
      return { availabilityZoneInfo: zones.map(({ name, available }) => ({ zoneName: name, zoneState: { available }, hosts: null })) };
    },
  }),
  endpoint({
    id: 'availability-zones:detail', method: 'GET', path: '/v2.1/os-availability-zone/detail', summary: 'List availability zones with their hosts',
    policy: 'os_compute_api:os-availability-zone:detail', status: 200, reply: zoneReply,
    async handler() {
      const services = await listServices(deps);
      const zones = zonesOf(services).map(({ name, available }) => ({
        zoneName: name,
        zoneState: { available },
        hosts: available ? hostsOf(services, name) : null,
      }));
      return { availabilityZoneInfo: zones };
    },
  }),
];

export const availabilityZonePolicies: PolicyRule[] = [
  rule('os-availability-zone:list', ANYBODY, 'List availability zones.', 'GET /os-availability-zone'),
  rule('os-availability-zone:detail', ADMIN, 'List availability zones with their hosts.', 'GET /os-availability-zone/detail'),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { type Microversion, since } from '../../../kernel/api/microversion.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { acceptEvents } from '../model/server-external-events.ts';
import { versions } from '../versions.ts';
import { rule } from './rules.ts';

const closed = { additionalProperties: false } as const;

export const serverExternalEventPolicies: PolicyRule[] = [
  rule('os-server-external-events:create', 'rule:service_or_admin', 'Tell what happened to servers outside of compute.', 'POST /os-server-external-events'),
];

const names = (['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted'] as const).map((name) => Type.Literal(name));
const later = (version: Microversion, name: string) => since(version, Type.Literal(name));
const event = {
  name: Type.Union([
    ...names,
    later(versions.ACTION_EVENTS, 'volume-extended'),
    later(versions.POWER_UPDATE, 'power-update'),
    later(versions.ACCELERATOR_EVENTS, 'accelerator-request-bound'),
    later(versions.REBUILD_VOLUME, 'volume-reimaged'),
  ]),
  server_uuid: Type.String({ format: 'uuid' }),
  tag: Type.Optional(Type.String({ maxLength: 255 })),
};
const status = Type.Union([Type.Literal('failed'), Type.Literal('completed'), Type.Literal('in-progress')]);

export const serverExternalEventEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-external-events:create',
    method: 'POST',
    path: '/v2.1/os-server-external-events',
    summary: 'Tell what happened to servers outside of compute',
    policy: 'os_compute_api:os-server-external-events:create',
    body: Type.Object({ events: Type.Array(Type.Object({ ...event, status: Type.Optional(status) }, closed), { minItems: 1, maxItems: 1000 }) }, closed),
    reply: Type.Object({ events: Type.Array(Type.Object({ name: Type.String(), server_uuid: Type.String(), tag: Type.Optional(Type.String()), status, code: Type.Integer() })) }),
    status: 200,
    handler: async (call) => {
      const events = await acceptEvents(deps, call.body.events);
      return reply({ events }, { status: events.every(({ code }) => code === 200) ? 200 : 207 });
    },
  }),
];

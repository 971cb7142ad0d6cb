import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { decideByHost, decideService, listServices, removeService, requireCompute, requireService, type ServiceInfo } from '../model/services.ts';
import type { NodeDecision } from '../store/nodes.ts';
import { versions } from '../versions.ts';
import { strictQuery } from './common.ts';
import { asBoolean, hostText, looseBoolean } from './parameters.ts';
import { ADMIN, rule } from './rules.ts';

const service = Type.Object({
  id: Type.Union([Type.Integer(), Type.String()]),
  binary: Type.String(),
  host: Type.String(),
  zone: Type.String(),
  status: Type.Union([Type.Literal('enabled'), Type.Literal('disabled')]),
  state: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  updated_at: Type.String(),
  disabled_reason: nullable(Type.String()),
  forced_down: since(versions.SERVICE_FORCED_DOWN, Type.Boolean()),
});

function view(call: Pick<Call, 'version'>, info: ServiceInfo): Static<typeof service> {
  return {
    id: call.version >= versions.SERVICE_UUID ? info.uuid : info.number,
    binary: info.binary,
    host: info.host,
    zone: info.zone,
    status: info.disabled ? 'disabled' : 'enabled',
    state: info.up ? 'up' : 'down',
    updated_at: isoMicrosNoZone(info.updated_at),
    disabled_reason: info.disabled_reason,
    forced_down: info.forced_down,
  };
}

const reasonText = Type.String({ minLength: 1, maxLength: 255 });

const oldBody = Type.Object(
  {
    host: hostText,
    binary: Type.String({ minLength: 1, maxLength: 255 }),
    disabled_reason: Type.Optional(reasonText),
    forced_down: Type.Optional(since(versions.SERVICE_FORCED_DOWN, looseBoolean)),
  },
  { additionalProperties: false },
);

/** What an older call wants: the path names the action. @returns the change, and what the reply repeats. Faults: 400, 404 */
function oldAction(action: string, version: number, body: Static<typeof oldBody>): { change: NodeDecision; shown: Record<string, unknown> } {
  switch (action) {
    case 'enable':
      return { change: { disabled: 0, disabled_reason: null }, shown: { status: 'enabled' } };
    case 'disable':
      return { change: { disabled: 1, disabled_reason: null }, shown: { status: 'disabled' } };
    case 'disable-log-reason':
      if (body.disabled_reason === undefined) throw badRequest('compute.service-reason', 'Missing disabled reason field');
      return { change: { disabled: 1, disabled_reason: body.disabled_reason }, shown: { status: 'disabled', disabled_reason: body.disabled_reason } };
    case 'force-down': {
      if (version < versions.SERVICE_FORCED_DOWN) break;
      if (body.forced_down === undefined) throw badRequest('compute.service-forced-down', 'Missing forced_down field');
      const forced_down = asBoolean(body.forced_down);
      return { change: { forced_down: forced_down ? 1 : 0 }, shown: { forced_down } };
    }
  }
  throw notFound('compute.service-action', 'Unknown action');
}

const newBody = Type.Object(
  {
    status: Type.Optional(Type.Union([Type.Literal('enabled'), Type.Literal('disabled')])),
    disabled_reason: Type.Optional(reasonText),
    forced_down: Type.Optional(looseBoolean),
  },
  { additionalProperties: false },
);

/** @throws Fault 400 */
function newChange(body: Static<typeof newBody>): NodeDecision {
  const change: NodeDecision = {};
  if (body.status === 'enabled') {
    if (body.disabled_reason !== undefined) throw badRequest('compute.service-reason', "Specifying 'disabled_reason' with status 'enabled' is invalid.");
    Object.assign(change, { disabled: 0, disabled_reason: null });
  }
  if (body.status === 'disabled') Object.assign(change, { disabled: 1, disabled_reason: body.disabled_reason ?? null });
  if (body.forced_down !== undefined) change.forced_down = asBoolean(body.forced_down) ? 1 : 0;
  if (Object.keys(change).length === 0) {
    throw badRequest('compute.service-no-change', "No updates were requested. Fields 'status' or 'forced_down' should be specified.");
  }
  return change;
}

/** A UUID from 2.53 on, a number before. @throws Fault 400 */
function keyOf(version: number, id: string): string | number {
  if (version >= versions.SERVICE_UUID) {
    if (!isUuidLike(id)) throw badRequest('compute.service-id', `Invalid uuid ${id}`);
    return id;
  }
  if (!/^-?\d{1,9}$/.test(id)) throw badRequest('compute.service-id', 'Invalid input received: id must be an integer');
  return Number(id);
}

const ALL = '/v2.1/os-services';
const ONE = '/v2.1/os-services/{service_id}';

export const serviceEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'services:list', method: 'GET', path: ALL, summary: 'List compute services', policy: 'os_compute_api:os-services:list', status: 200,
    query: Type.Object({ host: Type.Optional(Type.String()), binary: Type.Optional(Type.String()) }),
    reply: Type.Object({ services: Type.Array(service) }),
    async handler(call) {
      strictQuery(call, ['host', 'binary']);
      const { host = '', binary = '' } = call.query;
      const wanted = (await listServices(deps)).filter((info) => (host === '' || info.host === host) && (binary === '' || info.binary === binary));
      return { services: wanted.map((info) => view(call, info)) };
    },
  }),
  endpoint({
    id: 'services:act', method: 'PUT', path: ONE, summary: 'Enable, disable or force down a service that is named by its host',
    policy: 'os_compute_api:os-services:update', status: 200, until: versions.SERVICE_UUID - 1, body: oldBody,
    reply: Type.Object({ service: Type.Object({ host: Type.String(), binary: Type.String() }) }),
    async handler(call) {
      const { host, binary } = call.body;
      const { change, shown } = oldAction(call.params.service_id, call.version, call.body);
      await decideByHost(deps, host, binary, change);
      return { service: { host, binary, ...shown } };
    },
  }),
  endpoint({
    id: 'services:update', method: 'PUT', path: ONE, summary: 'Enable, disable or force down a service', policy: 'os_compute_api:os-services:update',
    status: 200, since: versions.SERVICE_UUID, body: newBody, reply: Type.Object({ service }),
    async handler(call) {
      const found = await requireService(deps, keyOf(call.version, call.params.service_id));
      requireCompute(found.binary);
      return { service: view(call, await decideService(deps, found, newChange(call.body))) };
    },
  }),
  endpoint({
    id: 'services:delete', method: 'DELETE', path: ONE, summary: 'Forget a service', policy: 'os_compute_api:os-services:delete', status: 204,
    async handler(call) {
      await removeService(deps, await requireService(deps, keyOf(call.version, call.params.service_id)));
      return reply();
    },
  }),
];

export const servicePolicies: PolicyRule[] = [
  rule('os-services:list', ADMIN, 'List compute services.', 'GET /os-services'),
  rule('os-services:update', ADMIN, 'Enable, disable or force down a service.', 'PUT /os-services/{service_id}'),
  rule('os-services:delete', ADMIN, 'Forget a service.', 'DELETE /os-services/{service_id}'),
];

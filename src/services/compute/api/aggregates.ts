import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import {
  addHost, type Aggregate, allAggregates, createAggregate, getAggregate, metadataOfAggregate, removeAggregate, removeHost, renameAggregate,
  setAggregateMetadata, zoneOfAggregate,
} from '../model/aggregates.ts';
import type { AggregateRow } from '../store/aggregates.ts';
import { versions } from '../versions.ts';
import { hostText, nameText } from './parameters.ts';
import { ADMIN, rule } from './rules.ts';

/** A name without a colon: that parts zone, host and node where a server is asked for. */
const zoneName = nullable(Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[^:\\p{C}\\p{Zl}\\p{Zp}]*(?<! )$' }));
const anyName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\p{C}\\p{Zl}\\p{Zp}]*[^\\p{C}\\p{Z}][^\\p{C}\\p{Zl}\\p{Zp}]*$' });

const brief = {
  id: Type.Integer(), uuid: since(versions.AGGREGATE_UUID, Type.String()), name: Type.String(), availability_zone: nullable(Type.String()),
  created_at: Type.String(), updated_at: nullable(Type.String()), deleted: Type.Boolean(), deleted_at: Type.Null(),
};
const whole = Type.Object({ ...brief, hosts: Type.Array(Type.String()), metadata: Type.Record(Type.String(), Type.String()) });
const one = Type.Object({ aggregate: whole });

function briefView(row: AggregateRow) {
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    availability_zone: zoneOfAggregate(row),
    created_at: isoMicrosNoZone(row.created_at),
    updated_at: row.updated_at === null ? null : isoMicrosNoZone(row.updated_at),
    deleted: false,
    deleted_at: null,
  };
}

const view = ({ row, hosts }: Aggregate) => ({ ...briefView(row), hosts, metadata: metadataOfAggregate(row) });

/** @throws Fault 400 */
export function aggregateNumber(call: { params: { aggregate_id: string } }): number {
  const { aggregate_id } = call.params;
  if (!/^-?\d{1,9}$/.test(aggregate_id)) throw badRequest('compute.aggregate-id', `Invalid input received: id must be an integer`);
  return Number(aggregate_id);
}

const ALL = '/v2.1/os-aggregates';
const ONE = '/v2.1/os-aggregates/{aggregate_id}';
const exact = { additionalProperties: false };

const crud = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'aggregates:list', method: 'GET', path: ALL, summary: 'List host aggregates', policy: 'os_compute_api:os-aggregates:index', status: 200,
    reply: Type.Object({ aggregates: Type.Array(whole) }),
    handler: async () => ({ aggregates: (await allAggregates(deps)).map(view) }),
  }),
  endpoint({
    id: 'aggregates:create', method: 'POST', path: ALL, summary: 'Create a host aggregate', policy: 'os_compute_api:os-aggregates:create', status: 200,
    body: Type.Object({ aggregate: Type.Object({ name: nameText, availability_zone: Type.Optional(zoneName) }, exact) }, exact),
    reply: Type.Object({ aggregate: Type.Object(brief) }),
    handler: async (call) => ({ aggregate: briefView(await createAggregate(deps, call.body.aggregate.name.trim(), call.body.aggregate.availability_zone ?? null)) }),
  }),
  endpoint({
    id: 'aggregates:show', method: 'GET', path: ONE, summary: 'Show a host aggregate', policy: 'os_compute_api:os-aggregates:show', status: 200, reply: one,
    handler: async (call) => ({ aggregate: view(await getAggregate(deps, aggregateNumber(call))) }),
  }),
  endpoint({
    id: 'aggregates:update', method: 'PUT', path: ONE, summary: 'Rename a host aggregate, or make it another zone',
    policy: 'os_compute_api:os-aggregates:update', status: 200,
    body: Type.Object({ aggregate: Type.Object({ name: Type.Optional(anyName), availability_zone: Type.Optional(zoneName) }, { ...exact, minProperties: 1 }) }, exact),
    reply: one,
    async handler(call) {
      const { name, availability_zone } = call.body.aggregate;
      return { aggregate: view(await renameAggregate(deps, aggregateNumber(call), { name: name?.trim(), zone: availability_zone })) };
    },
  }),
  endpoint({
    id: 'aggregates:delete', method: 'DELETE', path: ONE, summary: 'Delete a host aggregate', policy: 'os_compute_api:os-aggregates:delete', status: 200,
    async handler(call) {
      await removeAggregate(deps, aggregateNumber(call));
      return reply();
    },
  }),
];

const hostBody = Type.Object({ host: hostText }, exact);
const metadata = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9_:. -]{1,255}$' }), nullable(Type.String({ maxLength: 255 })), exact);

const actions = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'aggregates:add-host', method: 'POST', path: `${ONE}/action`, action: 'add_host', summary: 'Add a host to an aggregate',
    policy: 'os_compute_api:os-aggregates:add_host', status: 200, body: Type.Object({ add_host: hostBody }, exact), reply: one,
    handler: async (call) => ({ aggregate: view(await addHost(deps, aggregateNumber(call), call.body.add_host.host)) }),
  }),
  endpoint({
    id: 'aggregates:remove-host', method: 'POST', path: `${ONE}/action`, action: 'remove_host', summary: 'Remove a host from an aggregate',
    policy: 'os_compute_api:os-aggregates:remove_host', status: 200, body: Type.Object({ remove_host: hostBody }, exact), reply: one,
    handler: async (call) => ({ aggregate: view(await removeHost(deps, aggregateNumber(call), call.body.remove_host.host)) }),
  }),
  endpoint({
    id: 'aggregates:set-metadata', method: 'POST', path: `${ONE}/action`, action: 'set_metadata', summary: 'Set metadata of an aggregate; null removes a key',
    policy: 'os_compute_api:os-aggregates:set_metadata', status: 200, body: Type.Object({ set_metadata: Type.Object({ metadata }, exact) }, exact), reply: one,
    handler: async (call) => ({ aggregate: view(await setAggregateMetadata(deps, aggregateNumber(call), call.body.set_metadata.metadata)) }),
  }),
];

export const aggregateEndpoints = (deps: ComputeDeps): Endpoint[] => [...crud(deps), ...actions(deps)];

const AGGREGATE = '/os-aggregates/{aggregate_id}';

export const aggregatePolicies: PolicyRule[] = [
  rule('os-aggregates:index', ADMIN, 'List host aggregates.', 'GET /os-aggregates'),
  rule('os-aggregates:create', ADMIN, 'Create a host aggregate.', 'POST /os-aggregates'),
  rule('os-aggregates:show', ADMIN, 'Show a host aggregate.', `GET ${AGGREGATE}`),
  rule('os-aggregates:update', ADMIN, 'Rename a host aggregate, or make it another zone.', `PUT ${AGGREGATE}`),
  rule('os-aggregates:delete', ADMIN, 'Delete a host aggregate.', `DELETE ${AGGREGATE}`),
  rule('os-aggregates:add_host', ADMIN, 'Add a host to an aggregate.', `POST ${AGGREGATE}/action (add_host)`),
  rule('os-aggregates:remove_host', ADMIN, 'Remove a host from an aggregate.', `POST ${AGGREGATE}/action (remove_host)`),
  rule('os-aggregates:set_metadata', ADMIN, 'Set metadata of an aggregate.', `POST ${AGGREGATE}/action (set_metadata)`),
];

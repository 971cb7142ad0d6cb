import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { capLimit, type Filter } from '../../../kernel/db/list-query.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { eventsOf, findAction, listActions } from '../store/server-actions.ts';
import type { ServerActionEventRow, ServerActionRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { instant, link, nonNegativeText } from './parameters.ts';
import { readerOf, serverOf, serverTarget } from './server-target.ts';
import { hostIdOf } from './server-view.ts';

const path = '/v2.1/servers/{server_id}/os-instance-actions';
const policy = (name: string): string => `os_compute_api:os-instance-actions:${name}`;
const deletedToo = (call: Call): boolean => call.version >= versions.ACTIONS_OF_DELETED;
const shown = Type.Object({ action: Type.String(), instance_uuid: Type.String(), request_id: Type.String(), start_time: Type.String() });

const query = Type.Object({
  limit: Type.Optional(nonNegativeText),
  marker: Type.Optional(Type.String()),
  'changes-since': Type.Optional(Type.String()),
  'changes-before': Type.Optional(Type.String()),
});

export const instanceActionEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'instance-actions:list',
    method: 'GET',
    path,
    summary: 'List what was done to a server',
    policy: policy('list'),
    target: serverTarget(deps, deletedToo),
    query,
    reply: Type.Object({ instanceActions: Type.Array(shown), links: Type.Optional(Type.Array(link)) }),
    status: 200,
    handler: async (call) => {
      const paged = call.version >= versions.ACTION_PAGES;
      const { limit, marker } = call.query;
      const most = capLimit(paged && Number(limit ?? 0) > 0 ? Number(limit) : undefined, deps.config.max_limit);
      const page = await listActions(readerOf(deps), call.params.server_id, paged ? timeFilters(call as Call) : [], most, paged ? marker : undefined);
      if (page === undefined) throw badRequest('compute.marker-not-found', `Marker ${marker} could not be found.`);
      const links = paged ? nextLinks(call, page.more, page.rows.at(-1)?.request_id) : undefined;
      return { instanceActions: page.rows.map((row) => showAction(row, call.version)), ...(links === undefined ? {} : { links }) };
    },
  }),
  endpoint({
    id: 'instance-actions:show',
    method: 'GET',
    path: `${path}/{request_id}`,
    summary: 'Show what was done to a server, with its events',
    policy: policy('show'),
    target: serverTarget(deps, deletedToo),
    reply: Type.Object({ instanceAction: shown }),
    status: 200,
    handler: async (call) => {
      const { server_id, request_id } = call.params;
      const row = await findAction(readerOf(deps), server_id, request_id);
      if (row === undefined) throw notFound('compute.action-not-found', `Action ${request_id} not found`);
      const action = showAction(row, call.version);
      const target = { project_id: serverOf(call).project_id };
      const everything = call.allows(policy('events'), target);
      if (!everything && call.version < versions.ACTION_EVENTS) return { instanceAction: action };
      const details = call.version >= versions.ACTION_EVENT_DETAILS && call.allows(policy('events:details'), target);
      const project_id = row.project_id ?? target.project_id;
      const events = (await eventsOf(readerOf(deps), row.id)).map((event) => showEvent(event, { version: call.version, everything, details, project_id }));
      return { instanceAction: { ...action, events } };
    },
  }),
];

const KNOWN = new Set(['limit', 'marker', 'changes-since', 'changes-before']);

function timeFilters(call: Call): Filter[] {
  for (const name of Object.keys(call.query)) {
    if (!KNOWN.has(name) || (name === 'changes-before' && call.version < versions.CHANGES_BEFORE)) {
      throw badRequest('api.query-invalid', `Invalid input for query parameters. Additional properties are not allowed ('${name}' was unexpected)`);
    }
  }
  const { 'changes-since': since, 'changes-before': before } = call.query as Record<string, string | undefined>;
  const from = since === undefined ? undefined : instant(since, 'changes-since');
  const to = before === undefined ? undefined : instant(before, 'changes-before');
  if (from !== undefined && to !== undefined && to < from) {
    throw badRequest('compute.changes-invalid', 'The value of changes-since must be less than or equal to changes-before.');
  }
  return [
    ...(from === undefined ? [] : [{ column: 'updated_at', op: 'gte' as const, value: from }]),
    ...(to === undefined ? [] : [{ column: 'updated_at', op: 'lte' as const, value: to }]),
  ];
}

function showAction(row: ServerActionRow, version: number) {
  return {
    action: row.action,
    instance_uuid: row.server_id,
    request_id: row.request_id,
    user_id: row.user_id,
    project_id: row.project_id,
    start_time: isoMicrosNoZone(row.start_time),
    message: row.message,
    ...(version >= versions.ACTION_PAGES ? { updated_at: isoMicrosNoZone(row.updated_at) } : {}),
  };
}

interface EventView {
  version: number;
  everything: boolean;
  details: boolean;
  project_id: string;
}

function showEvent(row: ServerActionEventRow, view: EventView): object {
  const { version } = view;
  return {
    event: row.event,
    start_time: isoMicrosNoZone(row.start_time),
    finish_time: row.finish_time === null ? null : isoMicrosNoZone(row.finish_time),
    result: row.result,
    ...(view.everything ? { traceback: row.traceback } : {}),
    ...(view.everything && version >= versions.ACTION_EVENT_HOST ? { host: row.host } : {}),
    ...(version >= versions.ACTION_EVENT_HOST ? { hostId: hostIdOf(row.host, view.project_id) } : {}),
    ...(view.details ? { details: row.details } : {}),
  };
}

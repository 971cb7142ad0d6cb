/** Messages to users, and the filters that lists have. */
import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { messageNotFound } from '../faults.ts';
import { ANYBODY, MEMBER, READER, rule } from '../policies.ts';
import { messages } from '../store/rows.ts';
import type { MessageRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { instant, links, listed, owned, readerOf, shown } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const listing: ListingRules = {
  filters: { resource_uuid: { column: 'resource_uuid', kind: 'text' }, resource_type: { column: 'resource_type', kind: 'text' }, event_id: { column: 'event_id', kind: 'text' }, request_id: { column: 'request_id', kind: 'text' }, message_level: { column: 'message_level', kind: 'text' } },
  sort: { event_id: 'event_id', resource_type: 'resource_type', request_id: 'request_id', resource_uuid: 'resource_uuid', message_level: 'message_level' },
};

const view = (call: Pick<AnyCall, 'base' | 'auth'>, { project_id: _project, ...row }: MessageRow) => ({
  ...row, created_at: instant(row.created_at), guaranteed_until: instant(row.guaranteed_until), links: links(call, 'messages', row.id),
});

const FILTERS: Record<string, string[]> = {
  volume: ['name', 'status', 'metadata', 'bootable', 'migration_status', 'availability_zone', 'group_id', 'size', 'created_at', 'updated_at'], snapshot: ['name', 'status', 'volume_id', 'metadata', 'availability_zone'],
  backup: ['name', 'status', 'volume_id'], group: [], group_snapshot: ['status', 'group_id'], attachment: ['volume_id', 'status', 'instance_id', 'attach_status'],
  message: ['resource_uuid', 'resource_type', 'event_id', 'request_id', 'message_level'], pool: ['name', 'volume_type'], volume_type: ['is_public'],
};

export const messageEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, messages, messageNotFound);
  const since = versions.MESSAGES;
  return [
    endpoint({
      id: 'messages:list', method: 'GET', path: '/v3/messages', summary: 'List messages', policy: 'message:get_all', since, status: 200, reply: listed('messages'),
      async handler(call) {
        const page = await readPage(readerOf(deps), messages, call, readListing(call, deps.config, listing), 'messages');
        return { messages: page.rows.map((row) => view(call, row)), ...page.more };
      },
    }),
    endpoint({ id: 'messages:show', method: 'GET', path: '/v3/messages/{id}', summary: 'Show a message', policy: 'message:get', target, since, status: 200, reply: shown('message'), handler: (call) => ({ message: view(call, rowOf(call)) }) }),
    endpoint({
      id: 'messages:delete', method: 'DELETE', path: '/v3/messages/{id}', summary: 'Delete a message', policy: 'message:delete', target, since, status: 204,
      async handler(call) {
        await deps.db.transaction((tx) => messages.remove(tx, call.params.id));
        return reply();
      },
    }),
    endpoint({
      id: 'resource-filters:list', method: 'GET', path: '/v3/resource_filters', summary: 'List the filters of lists', policy: 'volume_extension:resource_filters', since: versions.RESOURCE_FILTERS, status: 200, reply: Type.Object({ resource_filters: Type.Array(Type.Object({})) }),
      handler(call) {
        const named = call.url.searchParams.get('resource');
        return { resource_filters: Object.entries(FILTERS).filter(([name]) => named === null || name === named).map(([resource, filters]) => ({ resource, filters })) };
      },
    }),
  ];
};

export const messagePolicies: PolicyRule[] = [
  rule('message:get_all', READER, 'List messages.', 'GET /messages'),
  rule('message:get', READER, 'Show a message.', 'GET /messages/{id}'),
  rule('message:delete', MEMBER, 'Delete a message.', 'DELETE /messages/{id}'),
  rule('volume_extension:resource_filters', ANYBODY, 'List the filters of lists.', 'GET /resource_filters'),
];

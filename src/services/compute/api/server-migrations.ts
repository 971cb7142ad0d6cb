/** The live migrations of a server: there is none, and each call says so as nova does. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { migrationNotFound, migrationOf, refuseForLive } from '../model/live-migration.ts';
import { checkAction } from '../model/server-state.ts';
import { versions } from '../versions.ts';
import { ADMIN, MANAGER, rule } from './rules.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';

const path = '/v2.1/servers/{server_id}/migrations';
const one = `${path}/{migration_id}` as const;
const policy = (name: string): string => `os_compute_api:servers:migrations:${name}`;
const closed = { additionalProperties: false } as const;

export const serverMigrationEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-migrations:list', method: 'GET', path, summary: 'List the live migrations of a server', policy: policy('index'), target: serverTarget(deps),
    since: versions.SERVER_MIGRATIONS, reply: Type.Object({ migrations: Type.Array(Type.Unknown()) }), status: 200,
    handler: () => ({ migrations: [] }),
  }),
  endpoint({
    id: 'server-migrations:show', method: 'GET', path: one, summary: 'Show a live migration of a server', policy: policy('show'), target: serverTarget(deps),
    since: versions.SERVER_MIGRATIONS, reply: Type.Object({ migration: Type.Unknown() }), status: 200,
    handler: async (call) => {
      const { server_id, migration_id } = call.params;
      const missing = (id: string) => notFound('compute.migration-not-found', `In-progress live migration ${id} is not found for server ${server_id}.`);
      await migrationOf(deps, server_id, migration_id, missing);
      throw notFound('compute.migration-not-live', `Migration ${migration_id} for server ${server_id} is not live-migration.`);
    },
  }),
  endpoint({
    id: 'server-migrations:force-complete', method: 'POST', path: `${one}/action`, action: 'force_complete', summary: 'Force a live migration to complete', policy: policy('force_complete'),
    target: serverTarget(deps), since: versions.FORCE_COMPLETE, body: Type.Object({ force_complete: Type.Null() }, closed), status: 202,
    handler: async (call) => {
      checkAction('force_complete', serverOf(call), isAdmin(call));
      const { server_id, migration_id } = call.params;
      refuseForLive(await migrationOf(deps, server_id, migration_id, migrationNotFound(server_id)), 'force complete');
    },
  }),
  endpoint({
    id: 'server-migrations:abort', method: 'DELETE', path: one, summary: 'Abort a live migration', policy: policy('delete'), target: serverTarget(deps),
    since: versions.ABORT_MIGRATION, status: 202,
    handler: async (call) => {
      checkAction('abort live migration', serverOf(call), isAdmin(call));
      const { server_id, migration_id } = call.params;
      refuseForLive(await migrationOf(deps, server_id, migration_id, migrationNotFound(server_id)), 'abort live migration');
    },
  }),
];

export const serverMigrationPolicies: PolicyRule[] = [
  rule('servers:migrations:index', MANAGER, 'List the live migrations of a server.', 'GET /servers/{server_id}/migrations'),
  rule('servers:migrations:index:host', ADMIN, 'See between which hosts a server is moved.', 'GET /servers/{server_id}/migrations'),
  rule('servers:migrations:show', ADMIN, 'Show a live migration of a server.', 'GET /servers/{server_id}/migrations/{migration_id}'),
  rule('servers:migrations:force_complete', MANAGER, 'Force a live migration to complete.', 'POST /servers/{server_id}/migrations/{migration_id}/action'),
  rule('servers:migrations:delete', MANAGER, 'Abort a live migration.', 'DELETE /servers/{server_id}/migrations/{migration_id}'),
];

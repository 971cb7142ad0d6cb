import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { versions } from '../versions.ts';
import { markerNotFound, strictQuery } from './common.ts';
import { instant } from './parameters.ts';
import { ADMIN, MANAGER, rule } from './rules.ts';

const text = Type.Optional(Type.String());
const query = Type.Object({
  hidden: text, host: text, instance_uuid: text, source_compute: text, status: text, migration_type: text,
  limit: Type.Optional(since(versions.MIGRATION_PAGES, Type.Integer({ minimum: 0 }))),
  marker: Type.Optional(since(versions.MIGRATION_PAGES, Type.String())),
  'changes-since': Type.Optional(since(versions.MIGRATION_PAGES, Type.String())),
  'changes-before': Type.Optional(since(versions.CHANGES_BEFORE, Type.String())),
  user_id: Type.Optional(since(versions.MIGRATION_OWNER, Type.String())),
  project_id: Type.Optional(since(versions.MIGRATION_OWNER, Type.String())),
});

/** The parameters of a version, which are strict from 2.59 on. */
function known(version: number): string[] {
  const later = { 'changes-before': versions.CHANGES_BEFORE, user_id: versions.MIGRATION_OWNER, project_id: versions.MIGRATION_OWNER };
  return Object.keys(query.properties).filter((name) => version >= (later[name as keyof typeof later] ?? 0));
}

/** Who asks for other projects than the own one has to be allowed to. */
function checkProject(call: Pick<Call, 'query' | 'auth' | 'enforce'>): void {
  const asked = call.query['project_id'];
  if (asked === undefined || asked !== call.auth.project_id) call.enforce('os_compute_api:os-migrations:index:all_projects');
}

/** @throws Fault 400 */
function checkTimes(call: Pick<Call, 'query' | 'version'>): void {
  const at = (name: string, from: number): string | undefined => {
    const value = call.query[name];
    return typeof value === 'string' && call.version >= from ? instant(value, name) : undefined;
  };
  const since = at('changes-since', versions.MIGRATION_PAGES);
  const before = at('changes-before', versions.CHANGES_BEFORE);
  if (since !== undefined && before !== undefined && before < since) {
    throw badRequest('compute.query-invalid', 'The value of changes-since must be less than or equal to changes-before.');
  }
}

export const migrationEndpoints = (): Endpoint[] => [
  endpoint({
    id: 'migrations:list', method: 'GET', path: '/v2.1/os-migrations', summary: 'List migrations of servers', policy: 'os_compute_api:os-migrations:index', status: 200,
    query, reply: Type.Object({ migrations: Type.Array(Type.Unknown()) }),
    handler(call) {
      strictQuery(call, known(call.version), versions.MIGRATION_PAGES);
      checkProject(call);
      checkTimes(call);
      if (call.version >= versions.MIGRATION_PAGES && call.query.marker !== undefined) throw markerNotFound(call.query.marker);
      // Servers stay on the node where they were made, so there is no migration that could be listed.
      return { migrations: [] };
    },
  }),
];

export const migrationPolicies: PolicyRule[] = [
  rule('os-migrations:index', MANAGER, 'List migrations of servers.', 'GET /os-migrations'),
  rule('os-migrations:index:all_projects', ADMIN, 'List migrations of all projects.', 'GET /os-migrations'),
];

import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { since } from '../../../kernel/api/microversion.ts';
import type { Filter } from '../../../kernel/db/list-query.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { listMigrations } from '../store/server-migrations.ts';
import type { MigrationRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { markerNotFound, pageLimit, strictQuery } from './common.ts';
import { instant, link } from './parameters.ts';
import { ADMIN, MANAGER, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

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
const shown = Type.Object({ id: Type.Integer(), instance_uuid: Type.String(), status: Type.String() });

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
function timeFilters(call: Pick<Call, 'query' | 'version'>): Filter[] {
  const at = (name: string, from: number): string | undefined => {
    const value = call.query[name];
    return typeof value === 'string' && call.version >= from ? instant(value, name) : undefined;
  };
  const since = at('changes-since', versions.MIGRATION_PAGES);
  const before = at('changes-before', versions.CHANGES_BEFORE);
  if (since !== undefined && before !== undefined && before < since) {
    throw badRequest('compute.query-invalid', 'The value of changes-since must be less than or equal to changes-before.');
  }
  const out: Filter[] = [];
  if (since !== undefined) out.push({ column: 'updated_at', op: 'gte', value: since });
  if (before !== undefined) out.push({ column: 'updated_at', op: 'lte', value: before });
  return out;
}

const COLUMNS = { instance_uuid: 'server_id', source_compute: 'source_compute', status: 'status', migration_type: 'migration_type', user_id: 'user_id', project_id: 'project_id' };

function filtersOf(call: Pick<Call, 'query' | 'version'>): Filter[] {
  const equal = Object.entries(COLUMNS).flatMap(([name, column]): Filter[] => {
    const value = call.query[name];
    const owner = name === 'user_id' || name === 'project_id';
    if (typeof value !== 'string' || (owner && call.version < versions.MIGRATION_OWNER)) return [];
    return [{ column, op: 'eq', value }];
  });
  return [...equal, ...timeFilters(call)];
}

export const migrationEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'migrations:list', method: 'GET', path: '/v2.1/os-migrations', summary: 'List migrations of servers', policy: 'os_compute_api:os-migrations:index', status: 200,
    query, reply: Type.Object({ migrations: Type.Array(shown), migrations_links: Type.Optional(Type.Array(link)) }),
    async handler(call) {
      strictQuery(call, known(call.version), versions.MIGRATION_PAGES);
      checkProject(call);
      const filters = filtersOf(call);
      const paged = call.version >= versions.MIGRATION_PAGES;
      const { host, marker, limit, hidden } = call.query;
      const page = await listMigrations(readerOf(deps), { filters, host, marker: paged ? marker : undefined, limit: pageLimit(deps.config, paged ? limit : undefined) });
      if (page === undefined) throw markerNotFound(marker ?? '');
      // None is hidden here: those are of moves between cells.
      const rows = /^(true|1|yes|on)$/i.test(hidden ?? '') ? [] : page.rows;
      const hosts = call.allows('os_compute_api:os-migrations:index:host');
      const links = paged ? nextLinks(call, page.more, rows.at(-1)?.uuid) : undefined;
      return { migrations: rows.map((row) => showMigration(row, call.version, hosts)), ...(links === undefined ? {} : { migrations_links: links }) };
    },
  }),
];

/** Instants without fraction and zone, as nova's database has them. */
const stamp = (instantText: string): string => `${instantText.slice(0, 19)}.000000`;
/** Nova's own number of a flavor; a flavor here has but its id, which may be a number. */
const flavorNumber = (json: string): number | null => {
  const { id } = JSON.parse(json) as { id: string };
  return /^\d{1,9}$/.test(id) ? Number(id) : null;
};

function showMigration(row: MigrationRow, version: number, hosts: boolean) {
  const flavors = row.migration_type === 'evacuation' ? { old_instance_type_id: null, new_instance_type_id: null } : { old_instance_type_id: flavorNumber(row.old_flavor_json), new_instance_type_id: flavorNumber(row.new_flavor_json) };
  return {
    id: row.id,
    ...(version >= versions.MIGRATION_PAGES ? { uuid: row.uuid } : {}),
    instance_uuid: row.server_id,
    status: row.status,
    source_compute: hosts ? row.source_compute : null,
    source_node: hosts ? row.source_compute : null,
    dest_compute: hosts ? row.dest_compute : null,
    dest_node: hosts ? row.dest_compute : null,
    dest_host: hosts ? row.dest_host : null,
    ...flavors,
    ...(version >= versions.SERVER_MIGRATIONS ? { migration_type: row.migration_type } : {}),
    ...(version >= versions.MIGRATION_OWNER ? { user_id: row.user_id, project_id: row.project_id } : {}),
    created_at: stamp(row.created_at),
    updated_at: row.updated_at === row.created_at ? null : stamp(row.updated_at),
  };
}

export const migrationPolicies: PolicyRule[] = [
  rule('os-migrations:index', MANAGER, 'List migrations of servers.', 'GET /os-migrations'),
  rule('os-migrations:index:all_projects', ADMIN, 'List migrations of all projects.', 'GET /os-migrations'),
  rule('os-migrations:index:host', ADMIN, 'See between which hosts servers were moved.', 'GET /os-migrations'),
];

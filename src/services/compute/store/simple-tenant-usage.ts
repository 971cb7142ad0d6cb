import type { Kysely } from 'kysely';
import { page, type Page } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, ServerRow } from './tables.ts';

export type UsageRow = Pick<ServerRow, 'id' | 'name' | 'project_id' | 'flavor_json' | 'vm_state' | 'launched_at' | 'terminated_at'>;

export interface UsageQuery {
  /** Undefined: all projects. */
  project_id: string | undefined;
  /** ISO instants. */
  start: string;
  stop: string;
  limit: number;
  /** A server's id. */
  marker: string | undefined;
}

/** Servers that ran at any moment of a period, deleted ones too, by project and id; undefined when there is no such marker. */
export async function serversInPeriod(db: Kysely<ComputeTables>, query: UsageQuery): Promise<Page<UsageRow> | undefined> {
  const marker = query.marker === undefined ? undefined : await db.selectFrom('compute_servers').select(['project_id', 'id']).where('id', '=', query.marker).executeTakeFirst();
  if (query.marker !== undefined && marker === undefined) return undefined;
  let rows = db
    .selectFrom('compute_servers')
    .select(['id', 'name', 'project_id', 'flavor_json', 'vm_state', 'launched_at', 'terminated_at'])
    .where('launched_at', '<', query.stop)
    .where((eb) => eb.or([eb('terminated_at', 'is', null), eb('terminated_at', '>', query.start)]));
  if (query.project_id !== undefined) rows = rows.where('project_id', '=', query.project_id);
  return await page(rows, { sort: [{ column: 'project_id', direction: 'asc' }], marker, limit: query.limit });
}

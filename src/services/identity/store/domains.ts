import type { Kysely } from 'kysely';
import type { Tables } from './tables.ts';

type Db = Kysely<Tables>;

interface DomainContents {
  project_ids: string[];
  user_ids: string[];
  group_ids: string[];
}

/** Everything that goes with a domain. */
export async function domainContents(db: Db, domain_id: string): Promise<DomainContents> {
  const ids = async (table: 'identity_projects' | 'identity_users' | 'identity_groups'): Promise<string[]> =>
    (await db.selectFrom(table).select('id').where('domain_id', '=', domain_id).execute()).map(({ id }) => id);
  return { project_ids: await ids('identity_projects'), user_ids: await ids('identity_users'), group_ids: await ids('identity_groups') };
}

export async function deleteDomainContents(db: Db, domain_id: string, contents: DomainContents): Promise<void> {
  const chunks = (ids: readonly string[]): string[][] => Array.from({ length: Math.ceil(ids.length / 500) }, (_, at) => ids.slice(at * 500, (at + 1) * 500));
  for (const ids of chunks(contents.project_ids)) {
    await db.deleteFrom('identity_assignments').where('target_type', '=', 'project').where('target_id', 'in', ids).execute();
    await db.deleteFrom('identity_credentials').where('project_id', 'in', ids).execute();
    await db.updateTable('identity_users').set({ default_project_id: null }).where('default_project_id', 'in', ids).execute();
  }
  for (const ids of chunks([...contents.user_ids, ...contents.group_ids])) {
    await db.deleteFrom('identity_assignments').where('actor_id', 'in', ids).execute();
  }
  for (const table of ['identity_users', 'identity_groups', 'identity_roles', 'identity_projects'] as const) {
    await db.deleteFrom(table).where('domain_id', '=', domain_id).execute();
  }
}

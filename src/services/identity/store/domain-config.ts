import type { Kysely } from 'kysely';
import type { DomainOptionRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

/** A whole configuration, a group of it, or one option. */
export interface ConfigPart {
  domain_id: string;
  group?: string | undefined;
  option?: string | undefined;
}

export async function listDomainOptions(db: Db, { domain_id, group, option }: ConfigPart): Promise<DomainOptionRow[]> {
  const all = db.selectFrom('identity_domain_options').selectAll().where('domain_id', '=', domain_id);
  const grouped = group === undefined ? all : all.where('option_group', '=', group);
  return await (option === undefined ? grouped : grouped.where('option_name', '=', option)).orderBy('option_group').orderBy('option_name').execute();
}

export async function writeDomainOptions(db: Db, rows: readonly DomainOptionRow[]): Promise<void> {
  for (const row of rows) {
    await db.insertInto('identity_domain_options').values(row).onConflict((conflict) => conflict.columns(['domain_id', 'option_group', 'option_name']).doUpdateSet({ value: row.value, key_hash: row.key_hash })).execute();
  }
}

export async function deleteDomainOptions(db: Db, { domain_id, group, option }: ConfigPart): Promise<void> {
  const all = db.deleteFrom('identity_domain_options').where('domain_id', '=', domain_id);
  const grouped = group === undefined ? all : all.where('option_group', '=', group);
  await (option === undefined ? grouped : grouped.where('option_name', '=', option)).execute();
}

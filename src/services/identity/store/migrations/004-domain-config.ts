import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, index, integers, key, texts } from '../../../../kernel/db/columns.ts';

/** Options that one domain sets otherwise; and by which key each secret of the database is encrypted. */
export const domainConfig: Migration = {
  service: 'identity',
  number: 4,
  name: 'domain-config',
  async up(tx) {
    await create(tx, 'identity_domain_options', (t) =>
      key(integers(texts(foreign(t, 'domain_id', 'identity_projects'), 'option_group', 'option_name', 'value', 'key_hash'), 'sensitive'), 'identity_domain_options_pk', 'domain_id', 'option_group', 'option_name'));
    await index(tx, 'identity_domain_options', 'sensitive', 'key_hash');
    await tx.schema.alterTable('identity_credentials').addColumn('key_hash', 'text', (column) => column.notNull().defaultTo('')).execute();
    await index(tx, 'identity_credentials', 'key_hash');
  },
};

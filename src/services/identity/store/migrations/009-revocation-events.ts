import type { Migration } from '../../../../kernel/db/migrate.ts';
import { index } from '../../../../kernel/db/columns.ts';

/** When a revocation was made, for those who ask what happened since. */
export const revocationEvents: Migration = {
  service: 'identity',
  number: 9,
  name: 'revocation-events',
  async up(tx) {
    await tx.schema.alterTable('identity_revocations').addColumn('made_at', 'integer', (c) => c.notNull().defaultTo(0)).execute();
    await index(tx, 'identity_revocations', 'made_at');
  },
};

import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, index, key, texts, type Table } from '../../../../kernel/db/columns.ts';

/** Which policy document holds for an endpoint, a service, or a service in a region. */
export const policyAssociations: Migration = {
  service: 'identity',
  number: 6,
  name: 'policy-associations',
  async up(tx) {
    // `target` holds the ids below in one text, since a primary key can't hold what is null.
    await create(tx, 'identity_policy_associations', (t) =>
      key(['endpoint', 'service', 'region'].reduce(optionalForeign, foreign(texts(t, 'target'), 'policy_id', 'identity_policies')), 'identity_policy_associations_pk', 'target'));
    await index(tx, 'identity_policy_associations', 'policy_id');
    await index(tx, 'identity_policy_associations', 'endpoint_id');
    await index(tx, 'identity_policy_associations', 'service_id', 'region_id');
    await index(tx, 'identity_policy_associations', 'region_id');
  },
};

const optionalForeign = (table: Table, kind: string): Table =>
  table.addColumn(`${kind}_id`, 'text', (column) => column.references(`identity_${kind}s.id`).onDelete('cascade'));

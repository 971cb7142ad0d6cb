import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, integers, foreign, id, index, nullable, texts } from '../../../../kernel/db/columns.ts';

/** Credentials, trusts, policies, and which project sees which endpoint. */
export const extensions: Migration = {
  service: 'identity',
  number: 2,
  name: 'extensions',
  async up(tx) {
    await create(tx, 'identity_credentials', (t) => nullable(foreign(texts(id(t), 'type', 'blob', 'extra'), 'user_id', 'identity_users'), 'project_id'));
    await index(tx, 'identity_credentials', 'user_id');
    await index(tx, 'identity_credentials', 'project_id');

    await create(tx, 'identity_trusts', (t) =>
      nullable(integers(foreign(foreign(foreign(id(t), 'trustor_user_id', 'identity_users'), 'trustee_user_id', 'identity_users'), 'project_id', 'identity_projects'), 'impersonation', 'redelegation_count'), 'expires_at', 'redelegated_trust_id')
        .addColumn('remaining_uses', 'integer'));
    await index(tx, 'identity_trusts', 'trustor_user_id');
    await index(tx, 'identity_trusts', 'trustee_user_id');
    await index(tx, 'identity_trusts', 'project_id');
    await index(tx, 'identity_trusts', 'redelegated_trust_id');
    await create(tx, 'identity_trust_roles', (t) =>
      foreign(foreign(t, 'trust_id', 'identity_trusts'), 'role_id', 'identity_roles').addPrimaryKeyConstraint('identity_trust_roles_pk', ['trust_id', 'role_id']));
    await index(tx, 'identity_trust_roles', 'role_id');

    await create(tx, 'identity_policies', (t) => texts(id(t), 'type', 'blob', 'extra'));

    await create(tx, 'identity_endpoint_groups', (t) => nullable(texts(id(t), 'name', 'filters'), 'description'));
    await create(tx, 'identity_project_endpoints', (t) =>
      foreign(foreign(t, 'project_id', 'identity_projects'), 'endpoint_id', 'identity_endpoints').addPrimaryKeyConstraint('identity_project_endpoints_pk', ['project_id', 'endpoint_id']));
    await index(tx, 'identity_project_endpoints', 'endpoint_id');
    await create(tx, 'identity_project_endpoint_groups', (t) =>
      foreign(foreign(t, 'project_id', 'identity_projects'), 'endpoint_group_id', 'identity_endpoint_groups')
        .addPrimaryKeyConstraint('identity_project_endpoint_groups_pk', ['project_id', 'endpoint_group_id']));
    await index(tx, 'identity_project_endpoint_groups', 'endpoint_group_id');
  },
};

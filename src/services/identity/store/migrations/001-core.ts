import type { Kysely } from 'kysely';
import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, integers, foreign, id, index, nullable, texts, unique } from '../../../../kernel/db/columns.ts';

export const core: Migration = {
  service: 'identity',
  number: 1,
  name: 'core',
  async up(tx) {
    await resources(tx);
    await people(tx);
    await roles(tx);
    await applicationCredentials(tx);
    await catalog(tx);
    await create(tx, 'identity_state', (t) => t.addColumn('id', 'integer', (c) => c.primaryKey()).addColumn('generation', 'integer', (c) => c.notNull()));
    await tx.insertInto('identity_state').values({ id: 1, generation: 1 }).execute();
    await create(tx, 'identity_revocations', (t) => texts(t, 'kind', 'value').addColumn('revoked_at', 'integer', (c) => c.notNull()).addPrimaryKeyConstraint('identity_revocations_pk', ['kind', 'value']));
    await index(tx, 'identity_revocations', 'revoked_at');
  },
};

async function resources(tx: Kysely<any>): Promise<void> {
  await create(tx, 'identity_projects', (t) => integers(nullable(texts(id(t), 'name', 'domain_id', 'description', 'options', 'extra'), 'parent_id'), 'is_domain', 'enabled'));
  await unique(tx, 'identity_projects', 'domain_id', 'name');
  await index(tx, 'identity_projects', 'parent_id');
  await index(tx, 'identity_projects', 'name', 'id');
  await create(tx, 'identity_project_tags', (t) => texts(foreign(t, 'project_id', 'identity_projects'), 'name').addPrimaryKeyConstraint('identity_project_tags_pk', ['project_id', 'name']));
  await index(tx, 'identity_project_tags', 'name');
}

async function people(tx: Kysely<any>): Promise<void> {
  await create(tx, 'identity_users', (t) =>
    integers(nullable(texts(id(t), 'name', 'domain_id', 'options', 'extra'), 'default_project_id', 'password_hash'), 'enabled'));
  await unique(tx, 'identity_users', 'domain_id', 'name');
  await index(tx, 'identity_users', 'default_project_id');
  await index(tx, 'identity_users', 'name', 'id');
  await create(tx, 'identity_groups', (t) => texts(id(t), 'name', 'domain_id', 'description', 'extra'));
  await unique(tx, 'identity_groups', 'domain_id', 'name');
  await index(tx, 'identity_groups', 'name', 'id');
  await create(tx, 'identity_memberships', (t) =>
    foreign(foreign(t, 'user_id', 'identity_users'), 'group_id', 'identity_groups').addPrimaryKeyConstraint('identity_memberships_pk', ['user_id', 'group_id']));
  await index(tx, 'identity_memberships', 'group_id');
}

async function roles(tx: Kysely<any>): Promise<void> {
  await create(tx, 'identity_roles', (t) => nullable(texts(id(t), 'name', 'domain_id', 'options', 'extra'), 'description'));
  await unique(tx, 'identity_roles', 'domain_id', 'name');
  await index(tx, 'identity_roles', 'name', 'id');
  await create(tx, 'identity_implied_roles', (t) =>
    foreign(foreign(t, 'prior_role_id', 'identity_roles'), 'implied_role_id', 'identity_roles')
      .addPrimaryKeyConstraint('identity_implied_roles_pk', ['prior_role_id', 'implied_role_id']));
  await index(tx, 'identity_implied_roles', 'implied_role_id');
  await create(tx, 'identity_assignments', (t) =>
    integers(foreign(texts(t, 'actor_type', 'actor_id', 'target_type', 'target_id'), 'role_id', 'identity_roles'), 'inherited')
      .addPrimaryKeyConstraint('identity_assignments_pk', ['actor_id', 'actor_type', 'target_id', 'target_type', 'role_id', 'inherited']));
  await index(tx, 'identity_assignments', 'target_id', 'target_type');
  await index(tx, 'identity_assignments', 'role_id');
}

async function applicationCredentials(tx: Kysely<any>): Promise<void> {
  await create(tx, 'identity_application_credentials', (t) =>
    integers(nullable(foreign(foreign(texts(id(t), 'name', 'secret_hash'), 'user_id', 'identity_users'), 'project_id', 'identity_projects'), 'description', 'expires_at'), 'unrestricted', 'ruled'));
  await unique(tx, 'identity_application_credentials', 'user_id', 'name');
  await index(tx, 'identity_application_credentials', 'project_id');
  await create(tx, 'identity_application_credential_roles', (t) =>
    foreign(foreign(t, 'application_credential_id', 'identity_application_credentials'), 'role_id', 'identity_roles')
      .addPrimaryKeyConstraint('identity_application_credential_roles_pk', ['application_credential_id', 'role_id']));
  await index(tx, 'identity_application_credential_roles', 'role_id');
  await create(tx, 'identity_access_rules', (t) => texts(foreign(id(t), 'user_id', 'identity_users'), 'service', 'path', 'method'));
  await unique(tx, 'identity_access_rules', 'user_id', 'service', 'path', 'method');
  await create(tx, 'identity_application_credential_rules', (t) =>
    foreign(t, 'application_credential_id', 'identity_application_credentials')
      .addColumn('access_rule_id', 'text', (column) => column.notNull().references('identity_access_rules.id'))
      .addPrimaryKeyConstraint('identity_application_credential_rules_pk', ['application_credential_id', 'access_rule_id']));
  await index(tx, 'identity_application_credential_rules', 'access_rule_id');
}

async function catalog(tx: Kysely<any>): Promise<void> {
  await create(tx, 'identity_regions', (t) => nullable(texts(id(t), 'description', 'extra'), 'parent_region_id'));
  await index(tx, 'identity_regions', 'parent_region_id');
  await create(tx, 'identity_services', (t) => integers(nullable(texts(id(t), 'type', 'extra'), 'name', 'description'), 'enabled'));
  await create(tx, 'identity_endpoints', (t) => integers(nullable(texts(foreign(id(t), 'service_id', 'identity_services'), 'interface', 'url', 'extra'), 'region_id'), 'enabled'));
  await index(tx, 'identity_endpoints', 'service_id');
  await index(tx, 'identity_endpoints', 'region_id');
}

import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, id, index, integers, key, nullable, nullableIntegers, texts } from '../../../../kernel/db/columns.ts';

/** Who else may say who somebody is, and what becomes of their words. */
export const federation: Migration = {
  service: 'identity',
  number: 7,
  name: 'federation',
  async up(tx) {
    await create(tx, 'identity_identity_providers', (t) =>
      nullableIntegers(integers(nullable(foreign(id(t), 'domain_id', 'identity_projects'), 'description'), 'enabled'), 'authorization_ttl'));
    await index(tx, 'identity_identity_providers', 'domain_id');
    await create(tx, 'identity_remote_ids', (t) => foreign(id(t, 'remote_id'), 'identity_provider_id', 'identity_identity_providers'));
    await index(tx, 'identity_remote_ids', 'identity_provider_id');
    await create(tx, 'identity_mappings', (t) => texts(id(t), 'rules', 'schema_version'));
    await create(tx, 'identity_protocols', (t) =>
      key(nullable(texts(foreign(texts(t, 'id'), 'identity_provider_id', 'identity_identity_providers'), 'mapping_id'), 'remote_id_attribute'), 'identity_protocols_pk', 'identity_provider_id', 'id'));
    await create(tx, 'identity_service_providers', (t) => integers(nullable(texts(id(t), 'auth_url', 'sp_url', 'relay_state_prefix'), 'description'), 'enabled'));
    await create(tx, 'identity_federated_users', (t) =>
      key(
        foreign(texts(foreign(t, 'identity_provider_id', 'identity_identity_providers'), 'protocol_id', 'unique_id'), 'user_id', 'identity_users'),
        'identity_federated_users_pk', 'identity_provider_id', 'protocol_id', 'unique_id',
      ));
    await index(tx, 'identity_federated_users', 'user_id');
    await index(tx, 'identity_federated_users', 'protocol_id');
    await index(tx, 'identity_federated_users', 'unique_id');
    await create(tx, 'identity_expiring_memberships', (t) =>
      key(
        texts(foreign(foreign(foreign(t, 'user_id', 'identity_users'), 'group_id', 'identity_groups'), 'identity_provider_id', 'identity_identity_providers'), 'expires_at'),
        'identity_expiring_memberships_pk', 'user_id', 'group_id',
      ));
    await index(tx, 'identity_expiring_memberships', 'group_id');
    await index(tx, 'identity_expiring_memberships', 'identity_provider_id');
    await index(tx, 'identity_expiring_memberships', 'expires_at');
  },
};

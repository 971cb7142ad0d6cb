import type { Kysely } from 'kysely';
import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, integers, key, texts } from '../../../../kernel/db/columns.ts';

/** What rules about passwords have to know, and which passcodes were used. */
export const passwordRules: Migration = {
  service: 'identity',
  number: 8,
  name: 'password-rules',
  async up(tx) {
    for (const column of ['created_at', 'last_active_on', 'password_created_at', 'password_expires_at', 'failed_login_at']) await add(tx, column);
    for (const column of ['password_self_service', 'failed_logins']) {
      await tx.schema.alterTable('identity_users').addColumn(column, 'integer', (c) => c.notNull().defaultTo(0)).execute();
    }
    await tx.schema.createIndex('identity_users_password_expires_at').on('identity_users').column('password_expires_at').execute();
    await create(tx, 'identity_password_history', (t) => key(texts(foreign(t, 'user_id', 'identity_users'), 'created_at', 'password_hash'), 'identity_password_history_pk', 'user_id', 'created_at'));
    await create(tx, 'identity_used_passcodes', (t) => integers(foreign(t, 'credential_id', 'identity_credentials'), 'step').addPrimaryKeyConstraint('identity_used_passcodes_pk', ['credential_id'] as never));
  },
};

async function add(tx: Kysely<any>, column: string): Promise<void> {
  await tx.schema.alterTable('identity_users').addColumn(column, 'text').execute();
}

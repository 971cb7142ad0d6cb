import type { Migration } from '../../../../kernel/db/migrate.ts';
import { create, foreign, id, index, nullable, texts } from '../../../../kernel/db/columns.ts';

/** OAuth 1.0a: programs that act for a user with some of the user's roles on one project. */
export const oauth1: Migration = {
  service: 'identity',
  number: 5,
  name: 'oauth1',
  async up(tx) {
    await create(tx, 'identity_consumers', (t) => nullable(texts(id(t), 'secret', 'key_hash', 'extra'), 'description'));
    await index(tx, 'identity_consumers', 'key_hash');

    await create(tx, 'identity_request_tokens', (t) => {
      const bound = foreign(foreign(texts(id(t), 'secret', 'key_hash'), 'consumer_id', 'identity_consumers'), 'project_id', 'identity_projects');
      return nullable(bound, 'expires_at', 'verifier', 'role_ids').addColumn('user_id', 'text', (column) => column.references('identity_users.id').onDelete('cascade'));
    });
    await create(tx, 'identity_access_tokens', (t) => {
      const bound = foreign(foreign(texts(id(t), 'secret', 'key_hash', 'role_ids'), 'consumer_id', 'identity_consumers'), 'project_id', 'identity_projects');
      return nullable(foreign(bound, 'user_id', 'identity_users'), 'expires_at');
    });
    for (const table of ['identity_request_tokens', 'identity_access_tokens']) {
      for (const column of ['consumer_id', 'project_id', 'user_id', 'expires_at', 'key_hash']) await index(tx, table, column);
    }
  },
};

import { create, id, index, nullable, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Of a token only its hash is kept. */
export const consoleTokens: Migration = {
  service: 'compute',
  number: 6,
  name: 'console-tokens',
  async up(tx) {
    await create(tx, 'compute_console_tokens', (table) => nullable(texts(id(table, 'token_hash'), 'server_id', 'console_type', 'created_at', 'expires_at'), 'user_id', 'project_id'));
    await index(tx, 'compute_console_tokens', 'server_id');
    await index(tx, 'compute_console_tokens', 'expires_at');
  },
};

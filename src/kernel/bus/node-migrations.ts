import { create, id, nullable, texts } from '../db/columns.ts';
import type { Migration } from '../db/migrate.ts';

/** The table of the cloud's nodes. */
export const nodeMigrations: Migration[] = [
  {
    service: 'kernel-bus',
    number: 1,
    name: 'nodes',
    async up(tx) {
      await create(tx, 'nodes', (table) =>
        texts(nullable(texts(id(table).addColumn('hostname', 'text', (column) => column.notNull().unique()), 'key_hash', 'roles'), 'tunnel_ip', 'host_ip', 'resources'), 'created_at', 'last_seen_at')
          .addColumn('disabled', 'integer', (column) => column.notNull().defaultTo(0)));
    },
  },
];

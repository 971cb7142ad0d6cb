import type { Migration } from '../../../../kernel/db/migrate.ts';

/** How a guest is made, beside its image and its command; deleted servers that are still kept, by the time of their deletion. */
export const guestSettings: Migration = {
  service: 'compute',
  number: 8,
  name: 'guest-settings',
  async up(tx) {
    await tx.schema.alterTable('compute_server_boots').addColumn('guest_json', 'text', (column) => column.notNull().defaultTo('{}')).execute();
    await tx.schema.createIndex('compute_servers_by_deletion').on('compute_servers').columns(['vm_state', 'deleted_at']).execute();
  },
};

import { create, id, index, integers, nullable, nullableIntegers, texts, unique } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Volumes of servers, those included that are still to be made. */
export const blockDevices: Migration = {
  service: 'compute',
  number: 12,
  name: 'block-devices',
  async up(tx) {
    await create(tx, 'compute_block_devices', (table) => {
      const named = texts(id(table), 'server_id', 'source_type', 'volume_id', 'device', 'created_at');
      const maybe = nullable(named, 'source_id', 'attachment_id', 'mount_path', 'tag', 'volume_type', 'volume_name', 'node_id');
      return nullableIntegers(integers(maybe, 'volume_size', 'delete_on_termination', 'multiattach', 'made'), 'boot_index');
    });
    await unique(tx, 'compute_block_devices', 'server_id', 'volume_id');
    await unique(tx, 'compute_block_devices', 'server_id', 'device');
    await index(tx, 'compute_block_devices', 'volume_id');
  },
};

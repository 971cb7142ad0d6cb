import { index } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

/** Whoever comes by ssh names a server, and says of which project by the key alone. */
export const serversByName: Migration = {
  service: 'compute',
  number: 10,
  name: 'servers-by-name',
  up: (tx) => index(tx, 'compute_servers', 'name', 'deleted'),
};

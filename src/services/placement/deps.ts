import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { PlacementTables } from './store/tables.ts';

export interface PlacementDeps {
  db: Database<PlacementTables>;
  clock: Clock;
  log: Log;
}

import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { BlobStore } from './store/blobs.ts';
import type { ImageConfig } from './config.ts';
import type { ImageTables } from './store/tables.ts';

/** What every part of the image service works with. */
export interface ImageDeps {
  db: Database<ImageTables>;
  blobs: BlobStore;
  clock: Clock;
  log: Log;
  config: ImageConfig;
}

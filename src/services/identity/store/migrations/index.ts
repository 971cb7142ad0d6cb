import type { Migration } from '../../../../kernel/db/migrate.ts';
import { core } from './001-core.ts';

export const migrations: Migration[] = [core];

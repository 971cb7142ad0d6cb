import type { Migration } from '../../../../kernel/db/migrate.ts';
import { core } from './001-core.ts';
import { extensions } from './002-extensions.ts';

export const migrations: Migration[] = [core, extensions];

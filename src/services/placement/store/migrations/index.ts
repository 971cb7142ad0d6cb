import type { Migration } from '../../../../kernel/db/migrate.ts';
import { providers } from './001-providers.ts';

export const migrations: Migration[] = [providers];

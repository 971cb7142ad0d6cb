import type { Migration } from '../../../../kernel/db/migrate.ts';
import { first } from './001-first.ts';

export const migrations: Migration[] = [first];

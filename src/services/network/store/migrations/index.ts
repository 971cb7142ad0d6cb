import type { Migration } from '../../../../kernel/db/migrate.ts';
import { networking } from './001-networking.ts';

export const migrations: Migration[] = [networking];

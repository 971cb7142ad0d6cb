import type { Migration } from '../../../../kernel/db/migrate.ts';
import { networking } from './001-networking.ts';
import { routers } from './002-routers.ts';

export const migrations: Migration[] = [networking, routers];

import type { Migration } from '../../../../kernel/db/migrate.ts';
import { images } from './001-images.ts';

export const migrations: Migration[] = [images];

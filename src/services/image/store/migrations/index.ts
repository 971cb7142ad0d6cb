import type { Migration } from '../../../../kernel/db/migrate.ts';
import { images } from './001-images.ts';
import { imageImports } from './002-image-imports.ts';
import { metadefs } from './003-metadefs.ts';
import { content } from './004-content.ts';
import { conversions } from './005-conversions.ts';
import { registryBounds } from './006-registry-bounds.ts';
import { holds } from './007-holds.ts';
import { cacheQueue } from './008-cache-queue.ts';

export const migrations: Migration[] = [images, imageImports, metadefs, content, conversions, registryBounds, holds, cacheQueue];

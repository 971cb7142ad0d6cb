import { isoSeconds } from '../../../kernel/clock.ts';
import type { ImageInfo, ImageSystem } from '../client.ts';
import type { ImageDeps } from '../deps.ts';
import type { ImageRow } from '../store/tables.ts';
import { storesOf } from './image-data.ts';

export type ImageView = Record<string, unknown>;

/** An image as `GET /v2/images/{id}` shows it: properties stand beside the attributes. */
export function imageView(row: ImageRow, deps: Pick<ImageDeps, 'stores'>): ImageView {
  const stores = storesOf(deps, row);
  return {
    ...(JSON.parse(row.properties) as Record<string, string>),
    ...(stores.length > 0 ? { stores: stores.join(',') } : {}),
    ...(row.import_task === null ? {} : { os_glance_import_task: row.import_task }),
    ...(row.importing_to === null ? {} : { os_glance_importing_to_stores: row.importing_to }),
    ...(row.failed_import === null ? {} : { os_glance_failed_import: row.failed_import }),
    ...(row.conversion_state === null ? {} : { gantry_conversion: row.conversion_state }),
    ...(row.conversion_message === null ? {} : { gantry_conversion_message: row.conversion_message }),
    id: row.id,
    name: row.name,
    status: row.status,
    visibility: row.visibility,
    owner: row.owner,
    protected: row.protected === 1,
    os_hidden: row.os_hidden === 1,
    container_format: row.container_format,
    disk_format: row.disk_format,
    min_disk: row.min_disk,
    min_ram: row.min_ram,
    size: row.size,
    virtual_size: row.virtual_size,
    checksum: row.checksum,
    os_hash_algo: row.os_hash_value === null ? null : 'sha512',
    os_hash_value: row.os_hash_value,
    tags: JSON.parse(row.tags) as string[],
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    self: `/v2/images/${row.id}`,
    file: `/v2/images/${row.id}/file`,
    schema: '/v2/schemas/image',
  };
}

export function imageInfo(row: ImageRow): ImageInfo {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    visibility: row.visibility,
    owner: row.owner,
    container_format: row.container_format,
    disk_format: row.disk_format,
    min_disk: row.min_disk,
    min_ram: row.min_ram,
    size: row.size,
    digest: row.digest,
    manifest_digest: row.manifest_digest,
    conversion: row.conversion_state === null ? null : { state: row.conversion_state, message: row.conversion_message },
    system: row.system === null ? null : (JSON.parse(row.system) as ImageSystem),
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: JSON.parse(row.tags) as string[],
    properties: JSON.parse(row.properties) as Record<string, string>,
  };
}

/** Images as nova's proxy has them (nova `image/glance.py`, `api/openstack/compute/views/images.py`). */
import { isoSeconds } from '../../../kernel/clock.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { badRequest, type Fault, forbidden, isFault, notFound } from '../../../kernel/fault.ts';
import type { ImageInfo } from '../../image/client.ts';

const STATUS: Readonly<Record<string, string>> = {
  active: 'ACTIVE', queued: 'SAVING', saving: 'SAVING', deleted: 'DELETED', pending_delete: 'DELETED', killed: 'ERROR',
};
const PROGRESS: Readonly<Record<string, number>> = { queued: 25, saving: 50, active: 100 };
/** Properties whose text is JSON. */
const JSON_PROPERTIES = new Set(['block_device_mapping', 'mappings']);

/** What nova shows of an image beside its links. Pure. */
export function imageFields(image: ImageInfo) {
  const disk_config = image.properties['auto_disk_config'];
  return {
    id: image.id,
    name: image.name,
    status: STATUS[image.status] ?? 'UNKNOWN',
    progress: PROGRESS[image.status] ?? 0,
    minRam: image.min_ram,
    minDisk: image.min_disk,
    created: isoSeconds(image.created_at),
    updated: isoSeconds(image.updated_at),
    metadata: imageMetadata(image),
    'OS-EXT-IMG-SIZE:size': image.size ?? 0,
    ...(disk_config === undefined ? {} : { 'OS-DCF:diskConfig': booleanFrom(disk_config) === true ? 'AUTO' : 'MANUAL' }),
  };
}

/** The properties: all text, but for those that hold JSON. Pure. */
export function imageMetadata(image: Pick<ImageInfo, 'properties'>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(image.properties).map(([name, text]) => [name, JSON_PROPERTIES.has(name) ? parsed(text) : text]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // nobody has to write JSON there
    return text;
  }
}

export const imageNotFound = (cause?: Fault): Fault => notFound('compute.image-not-found', 'Image not found.', { type: 'ImageNotFound', cause });

/** Says the image service's faults in nova's words. @param refused what a 403 says. */
export async function inNovaWords<T>(id: string, work: Promise<T>, refused = `Not authorized for image ${id}.`): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFault(error) && !error.code.startsWith('compute.') ? translated(error, id, refused) : error;
  }
}

function translated(fault: Fault, id: string, refused: string): Fault {
  switch (fault.status) {
    case 400:
      return badRequest('compute.image-bad-request', `Request of image ${id} got BadRequest response: ${fault.message}`, { cause: fault });
    case 403:
      return forbidden('compute.image-forbidden', refused, { cause: fault });
    case 404:
      return imageNotFound(fault);
    case 413:
      return forbidden('compute.image-quota', `Quota exceeded or out of space for image ${id} in the image service.`, { cause: fault });
    default:
      return fault;
  }
}

/** @param limit -1: any number. @throws Fault 403 */
export function checkImageMetadataQuota(limit: number, metadata: Readonly<Record<string, string>>): void {
  if (limit >= 0 && Object.keys(metadata).length > limit) throw forbidden('compute.image-metadata-quota', 'Image metadata limit exceeded');
}

/** Images written as the disks of volumes: raw as they are, qcow2 by a confined qemu-img. */
import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { DiskError } from '../kernel/disk/disk-error.ts';
import { badRequest } from '../kernel/fault.ts';
import { fetchDisk } from './compute/disk/fetch-disk.ts';
import { checkDisk, needTools, writeRaw } from './compute/disk/raw-disk.ts';
import type { ImageRef } from './compute/protocol.ts';

/** @param fetch the stored image. Faults: 400 `volume.image-invalid`, `volume.image-unsupported`, 501 without the tools. */
export function imageWriter(fetch: (image: ImageRef) => Promise<Readable>): (image: ImageRef, path: string, limit: number) => Promise<void> {
  return async (image, path, limit) => {
    if (image.disk_format !== 'raw' && image.disk_format !== 'qcow2') throw badRequest('volume.image-unsupported', `An image of the format ${image.disk_format} cannot be written to a volume.`);
    await needTools(image.disk_format);
    const fetched = `${path}.image`;
    try {
      await fetchDisk(await fetch(image), fetched, image, () => {});
      const size = await checkDisk(fetched, image.disk_format, limit);
      if (image.disk_format === 'raw') await rename(fetched, path);
      else await writeRaw(fetched, path, size, new AbortController().signal);
    } catch (error) {
      if (error instanceof DiskError) throw badRequest('volume.image-invalid', `The image cannot be written to the volume: ${error.message}.`, { cause: error });
      throw error;
    } finally {
      await rm(fetched, { force: true });
    }
  };
}

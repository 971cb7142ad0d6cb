/** Disk images on their way to a container form: whether they can have one, how far it is, and what is kept of it. */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Transaction } from 'kysely';
import type { ConvertedDisk } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { createDigester } from '../../../kernel/digest/digester.ts';
import { slabsOf } from '../../../kernel/digest/slabs.ts';
import { DiskError } from '../../../kernel/disk/disk-error.ts';
import { contentAt } from '../../../kernel/disk/file-systems.ts';
import { readPartitions } from '../../../kernel/disk/partitions.ts';
import { checkQcow2, isQcow2, QCOW2_HEAD_BYTES } from '../../../kernel/disk/qcow2.ts';
import { tooLarge } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import { setConversion } from '../store/conversions.ts';
import { lockImage, updateImage } from '../store/images.ts';
import { insertManifest } from '../store/manifests.ts';
import { uploadFault } from '../store/scratch.ts';
import type { ConversionState, ImageRow, ImageTables } from '../store/tables.ts';
import { keepBlob, touchBlobs } from './blobs.ts';
import { openImageData } from './image-data.ts';
import { composeManifest } from './manifests.ts';
import type { DataFacts } from './receive-data.ts';
import { systemConfig, systemLayer } from './system-layer.ts';

export const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const HEAD_BYTES = 160 * 1024;
export const GIB = 2 ** 30;
const ASK_EVERY = 64 * 2 ** 20;

/** Columns of an image whose data have just come. */
export type Conversion = Pick<ImageRow, 'conversion_state' | 'conversion_message'>;
const NONE: Conversion = { conversion_state: null, conversion_message: null };

/** What shall become of these data: nothing where they are no disk, a conversion that waits, or one that has failed already. */
export async function planConversion(deps: TaskDeps, row: ImageRow, facts: DataFacts, stores: readonly string[]): Promise<Conversion> {
  if (!deps.config.convert_disks || row.container_format !== 'bare' || !['raw', 'qcow2'].includes(row.disk_format ?? '')) return NONE;
  if (facts.size === 0) return NONE;
  const data = { ...row, ...facts, stores: stores.join(',') };
  const head = await buffer(await openImageData(deps, data, { start: 0, end: Math.min(HEAD_BYTES, facts.size) - 1 }));
  try {
    return (await isDisk(row.disk_format, head, deps.config.max_disk_gb * GIB)) ? { conversion_state: 'waiting', conversion_message: null } : NONE;
  } catch (error) {
    if (error instanceof DiskError) return { conversion_state: 'failed', conversion_message: `The disk image cannot be used: ${error.message}.` };
    throw error;
  }
}

/** @throws DiskError for a disk that no node may read. */
async function isDisk(disk_format: string | null, head: Buffer, limit: number): Promise<boolean> {
  if (disk_format === 'qcow2') {
    if (!isQcow2(head)) return false;
    const size = checkQcow2(head.subarray(0, QCOW2_HEAD_BYTES));
    if (size > limit) throw new DiskError(`its virtual size of ${size} bytes is larger than the ${limit} that are allowed`);
    return true;
  }
  const read = async (at: number, length: number): Promise<Buffer> => head.subarray(at, at + length);
  return (await contentAt(read, 0)) !== undefined || (await readPartitions(read, Number.MAX_SAFE_INTEGER).catch(() => undefined)) !== undefined;
}

/** @param from states that it may be left from. */
export async function noteConversion(deps: TaskDeps, id: string, from: ConversionState[], to: ConversionState, message: string | null): Promise<boolean> {
  return deps.db.transaction((tx) => setConversion(tx, id, from, { conversion_state: to, conversion_message: message }));
}

/** Takes the root file system of a disk in, from the node that reads it. Faults: as `receiveLayer`. */
export async function receiveRoot(deps: TaskDeps, source: AsyncIterable<Buffer>): Promise<{ digest: string; size: number }> {
  return await receiveLayer(deps, source, deps.config.max_root_gb * GIB);
}

/**
 * Takes a layer in as it comes from a node; what no manifest names later, the collector takes.
 * @param wanted asked now and then: throws when nobody wants it any more.
 * Faults: 413 too large or storage full, 400 broken off.
 */
export async function receiveLayer(deps: TaskDeps, source: AsyncIterable<Buffer>, limit: number, wanted: () => Promise<void> = async () => {}): Promise<{ digest: string; size: number }> {
  const file = await deps.scratch.create();
  const hash = createDigester('sha256');
  let size = 0;
  let asked = 0;
  try {
    for await (const slab of slabsOf(source)) {
      size += slab.bytes.length;
      if (size > limit) throw tooLarge('image.root-too-large', `The file system exceeds the limit of ${limit} bytes.`);
      if (size - asked > ASK_EVERY) {
        asked = size;
        await wanted();
      }
      slab.uses(file.write(slab.bytes));
      slab.uses(hash.update(slab.bytes));
    }
    const [digest] = await Promise.all([hash.digest(), file.finish()]);
    await keepBlob(deps, { digest, size, path: file.path });
    return { digest, size };
  } catch (error) {
    hash.forget();
    throw uploadFault(error);
  } finally {
    await file.discard();
  }
}

export async function keepBytes(deps: TaskDeps, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const file = await deps.scratch.create();
  try {
    await file.write(bytes);
    await file.finish();
    const blob = { digest: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
    await keepBlob(deps, { ...blob, path: file.path });
    return blob;
  } finally {
    await file.discard();
  }
}

/** Gives the image its container form; run twice, it is the same one. Nothing happens to an image that is gone. Faults: 503 the layer was collected. */
export async function attachSystem(deps: TaskDeps, image: Pick<ImageRow, 'id' | 'created_at'>, converted: ConvertedDisk): Promise<void> {
  const { facts, layer } = converted;
  const settings = await keepBytes(deps, systemLayer(facts));
  const layers = [layer, settings].map((blob) => ({ ...blob, diff_id: `sha256:${blob.digest}`, media_type: LAYER_TYPE }));
  const config = await keepBytes(deps, systemConfig(facts, [layer.digest, settings.digest], image.created_at));
  const now = isoMicros(deps.clock.now());
  const { row, links } = composeManifest({ config, layers }, now);
  await deps.db.transaction(async (tx) => {
    const locked = await lockImage(tx, image.id, now);
    if (locked === undefined) return;
    await touchBlobs(deps, tx, links.map(({ digest }) => digest));
    await insertManifest(tx, row, links);
    await updateImage(tx, { ...locked, manifest_digest: row.digest, virtual_size: converted.virtual_size, conversion_state: 'done', conversion_message: null, system: JSON.stringify(facts) });
  });
}

/** In the transaction that makes the image active. */
export async function beginConversion(tx: Transaction<ImageTables>, start: (tx: Transaction<any>, id: string) => Promise<void>, id: string, conversion: Conversion): Promise<void> {
  if (conversion.conversion_state === 'waiting') await start(tx, id);
}

/** The head of a qcow2 file, read before any program is let near it. Format: QEMU's docs/interop/qcow2.txt. */
import { DiskError } from './disk-error.ts';

export const QCOW2_HEAD_BYTES = 512;
const MAGIC = 0x5146_49fb;
const DIRTY = 1n;
const CORRUPT = 2n;
const EXTERNAL_DATA = 4n;

export function isQcow2(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === MAGIC;
}

/**
 * The size of the disk that the file holds, in bytes.
 * @throws DiskError for whatever leads out of the file: a backing file, an external data file, a key.
 */
export function checkQcow2(head: Buffer): number {
  if (!isQcow2(head)) throw new DiskError('it is no qcow2 file');
  if (head.length < 72) throw new DiskError('its qcow2 header is cut off');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new DiskError(`its qcow2 version is ${version}; 2 and 3 are known`);
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) throw new DiskError('it has a backing file; flatten it with "qemu-img convert"');
  const cluster = head.readUInt32BE(20);
  if (cluster < 9 || cluster > 21) throw new DiskError('its qcow2 cluster size is out of range');
  if (head.readUInt32BE(32) !== 0) throw new DiskError('it is encrypted');
  if (version === 3) checkFeatures(head);
  const size = head.readBigUInt64BE(24);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new DiskError('its virtual size is absurd');
  return Number(size);
}

function checkFeatures(head: Buffer): void {
  if (head.length < 104) throw new DiskError('its qcow2 header is cut off');
  const incompatible = head.readBigUInt64BE(72);
  if ((incompatible & EXTERNAL_DATA) !== 0n) throw new DiskError('its data are in another file');
  if ((incompatible & CORRUPT) !== 0n) throw new DiskError('it is marked as corrupt');
  if ((incompatible & ~(DIRTY | 8n | 16n)) !== 0n) throw new DiskError('it has qcow2 features that are not known');
}

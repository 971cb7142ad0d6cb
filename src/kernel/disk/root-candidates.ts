/** Where on a disk the root file system may be. */
import { DiskError, type ReadAt } from './disk-error.ts';
import { type Content, contentAt, isRootFileSystem, type RootFileSystem } from './file-systems.ts';
import { readPartitions } from './partitions.ts';

export interface RootCandidate {
  /** Bytes. */
  start: number;
  size: number;
  type: RootFileSystem;
}

/** The likeliest first: what calls itself a root, then the largest. @throws DiskError when there is none, saying what there is. */
export async function rootCandidates(read: ReadAt, disk_size: number): Promise<RootCandidate[]> {
  const whole = await contentAt(read, 0);
  if (isRootFileSystem(whole)) return [{ start: 0, size: disk_size, type: whole }];
  const partitions = await readPartitions(read, disk_size);
  if (partitions === undefined || partitions.length === 0) throw new DiskError(`it has neither a partition table nor a Linux file system${holding([whole])}`);
  const probed = await Promise.all(partitions.map(async (one) => ({ ...one, type: await contentAt(read, one.start) })));
  const roots = probed.flatMap(({ start, size, is_root, type }) => (isRootFileSystem(type) ? [{ start, size, type, is_root }] : []));
  if (roots.length === 0) throw new DiskError(`no partition of it holds ext4, xfs or btrfs${holding(probed.map(({ type }) => type))}`);
  return roots
    .sort((a, b) => Number(b.is_root) - Number(a.is_root) || b.size - a.size)
    .map(({ start, size, type }) => ({ start, size, type }));
}

function holding(contents: readonly Content[]): string {
  const named = [...new Set(contents.filter((one) => one !== undefined))];
  return named.length === 0 ? '' : ` (found: ${named.join(', ')})`;
}

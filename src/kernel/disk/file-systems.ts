/** Which file system begins at an offset, by its magic bytes. */
import type { ReadAt } from './disk-error.ts';

export type RootFileSystem = 'ext4' | 'xfs' | 'btrfs';
/** `ext4` stands for ext2 and ext3 as well. The others cannot hold a root that is read here; they are named for messages. */
export type Content = RootFileSystem | 'LVM' | 'LUKS' | 'RAID' | 'NTFS' | 'FAT' | 'swap' | 'squashfs' | 'ISO 9660' | undefined;

interface Magic {
  content: NonNullable<Content>;
  at: number;
  bytes: Buffer;
}

const magic = (content: Magic['content'], at: number, bytes: string): Magic => ({ content, at, bytes: Buffer.from(bytes, 'latin1') });
const MAGICS: readonly Magic[] = [
  magic('LUKS', 0, 'LUKS\xba\xbe'),
  magic('LVM', 512, 'LABELONE'),
  magic('xfs', 0, 'XFSB'),
  magic('ext4', 1080, '\x53\xef'),
  magic('btrfs', 65_600, '_BHRfS_M'),
  magic('RAID', 4096, '\xfc\x4e\x2b\xa9'),
  magic('NTFS', 3, 'NTFS    '),
  magic('squashfs', 0, 'hsqs'),
  magic('swap', 4086, 'SWAPSPACE2'),
  magic('FAT', 82, 'FAT32'),
  magic('FAT', 54, 'FAT'),
  magic('ISO 9660', 32_769, 'CD001'),
];

/** How much of a partition has to be read to know what is in it. */
export const PROBE_BYTES = 66 * 1024;

export async function contentAt(read: ReadAt, offset: number): Promise<Content> {
  const head = await read(offset, PROBE_BYTES);
  return MAGICS.find(({ at, bytes }) => head.subarray(at, at + bytes.length).equals(bytes))?.content;
}

export function isRootFileSystem(content: Content): content is RootFileSystem {
  return content === 'ext4' || content === 'xfs' || content === 'btrfs';
}

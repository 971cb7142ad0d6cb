import { createByteReader, readContent, readEntry, paddingOf } from '../../../src/kernel/tar.ts';
import type { TestImage } from './harness.ts';

/** The one layer of an archive. */
export async function singleLayerOf({ archive }: TestImage): Promise<Buffer> {
  const reader = createByteReader((async function* () { yield archive; })());
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    if (entry.name.endsWith('layer.tar')) return await readContent(reader, entry.size);
    for await (const _ of reader.pass(entry.size + paddingOf(entry.size)));
  }
  throw new Error('the archive holds no layer');
}

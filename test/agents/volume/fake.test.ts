import { Readable } from 'node:stream';
import { createFakeVolumeDriver } from '../../../src/agents/volume/drivers/fake/index.ts';
import { CHUNK_BYTES } from '../../../src/agents/volume/protocol.ts';
import { volumeDriverSuite } from '../../support/volume-suite.ts';

const chunks = new Map<string, Buffer>();
const driver = createFakeVolumeDriver({ chunk: async (_chain, digest) => Readable.from([chunks.get(digest)!]) });

volumeDriverSuite('fake', () => ({ driver, chunks, write: async (volume_id, offset, bytes) => driver.write(volume_id, offset / CHUNK_BYTES, bytes) }));

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { badRequest } from '../../kernel/fault.ts';
import type { BlobRef } from '../compute/protocol.ts';
import { CHUNK_BYTES, chunkPath, volumeMethods, type VolumeDriver, type VolumeSpec } from './protocol.ts';

type Handler = (params: unknown) => Promise<unknown>;

/** Sends a stream to a path of the controller. */
export type Send = (path: string, body: Readable) => Promise<unknown>;

/**
 * The driver behind the bus: one handler per call of `volumeMethods`. Parameters are `{ spec }` for create, `{ volume_id, size_bytes }` for
 * extend, `{ volume_id, snapshot_id }` for what concerns snapshots, `{ volume_id, path }` for send, `{ volume_id, chain, known }` for backup,
 * `{ volume_id }` for the others, nothing for list.
 */
export function volumeHandlers(driver: VolumeDriver, send: Send): Record<string, Handler> {
  const done = async (work: Promise<void>): Promise<null> => {
    await work;
    return null;
  };
  return {
    [volumeMethods.create]: (params) => done(driver.create(field<VolumeSpec>(params, 'spec', 'object'))),
    [volumeMethods.remove]: (params) => done(driver.remove(text(params, 'volume_id'))),
    [volumeMethods.extend]: (params) => done(driver.extend(text(params, 'volume_id'), field<number>(params, 'size_bytes', 'number'))),
    [volumeMethods.createSnapshot]: (params) => done(driver.createSnapshot(text(params, 'volume_id'), text(params, 'snapshot_id'))),
    [volumeMethods.removeSnapshot]: (params) => done(driver.removeSnapshot(text(params, 'volume_id'), text(params, 'snapshot_id'))),
    [volumeMethods.revert]: (params) => done(driver.revert(text(params, 'volume_id'), text(params, 'snapshot_id'))),
    [volumeMethods.list]: () => driver.list(),
    [volumeMethods.send]: (params) => send(text(params, 'path'), Readable.from(driver.read(text(params, 'volume_id')))),
    [volumeMethods.backup]: (params) => backup(driver, send, { volume_id: text(params, 'volume_id'), chain: text(params, 'chain') }, new Set(field<string[]>(params, 'known', 'object'))),
  };
}

/** @param known chunks that the controller has already */
async function backup(driver: VolumeDriver, send: Send, { volume_id, chain }: { volume_id: string; chain: string }, known: Set<string>): Promise<BlobRef[]> {
  const zeros = Buffer.alloc(CHUNK_BYTES);
  const chunks: BlobRef[] = [];
  for await (const chunk of inChunks(driver.read(volume_id))) {
    const empty = chunk.equals(chunk.length === CHUNK_BYTES ? zeros : zeros.subarray(0, chunk.length));
    const digest = empty ? '' : createHash('sha256').update(chunk).digest('hex');
    if (!empty && !known.has(digest)) await send(chunkPath(chain, digest), Readable.from([chunk]));
    known.add(digest);
    chunks.push({ digest, size: chunk.length });
  }
  return chunks;
}

async function* inChunks(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const part of source) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + CHUNK_BYTES - length);
      parts.push(piece);
      at += piece.length;
      length += piece.length;
      if (length < CHUNK_BYTES) continue;
      yield parts.length === 1 ? piece : Buffer.concat(parts);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}

const text = (params: unknown, name: string): string => field<string>(params, name, 'string');

function field<T>(params: unknown, name: string, type: 'object' | 'string' | 'number'): T {
  const value = (params as Record<string, unknown> | null | undefined)?.[name];
  if (typeof value !== type || value === null) throw badRequest('volume.call-invalid', `The call needs "${name}".`);
  return value as T;
}

/** What guests have changed, on its way into images: noted while the guest stands still, kept in a file, sent, dropped. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { badRequest, conflict, Fault, isFault, notFound, notImplemented } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { TarError } from '../../../../kernel/tar.ts';
import type { BlobRef } from '../../protocol.ts';
import type { SendLayer } from '../../disk/transport.ts';
import { asLayer, readFolder } from './changed-files.ts';
import type { DriverContext } from './driver-context.ts';
import { isEngineStatus } from './engine-error.ts';
import type { ContainerInspect } from './engine-types.ts';
import { unknownServer } from './faults.ts';
import { findContainer, inspectContainer } from './guests.ts';
import { engineCall } from './spawn.ts';

export interface Captures {
  capture(serverId: string, imageId: string): Promise<BlobRef>;
  send(imageId: string): Promise<BlobRef>;
  drop(imageId: string): Promise<void>;
  /** Ends what is captured of a guest that is to go. */
  dropOf(serverId: string): Promise<void>;
  /** Guests that an agent before this one left standing still go on. */
  thaw(): Promise<void>;
  close(): Promise<void>;
}

export interface CapturesOptions {
  ctx: DriverContext;
  /** Of the layers. */
  dir: string;
  send: SendLayer;
}

interface Running {
  server_id: string;
  stop: AbortController;
  done: Promise<BlobRef>;
}

/** What nobody has sent or dropped until then, nobody will. */
const FORGOTTEN_MS = 24 * 3600_000;
const PAUSE_MS = 120_000;

export function createCaptures({ ctx, dir, send }: CapturesOptions): Captures {
  const running = new Map<string, Running>();
  const layers = layerFiles(dir);

  async function run(serverId: string, imageId: string, signal: AbortSignal): Promise<BlobRef> {
    const there = await layers.noted(imageId);
    if (there !== undefined) return there;
    await layers.makeRoom();
    const container = await containerOf(ctx, serverId);
    await ctx.disks.ready(serverId, container);
    const folder = changesOf(container);
    try {
      const layer = await standingStill(ctx, serverId, container, signal, () => write(folder, layers.path(imageId), signal));
      await layers.note(imageId, layer);
      return layer;
    } catch (error) {
      await layers.remove(imageId);
      throw captureFault(signal.aborted ? signal.reason : error);
    }
  }

  async function drop(imageId: string): Promise<void> {
    const one = running.get(imageId);
    one?.stop.abort(dropped());
    await one?.done.catch(() => {});
    if (isUuid(imageId)) await layers.remove(imageId);
  }

  return {
    async capture(serverId, imageId) {
      if (!isUuid(imageId)) throw badRequest('compute.image-id-invalid', 'An image id is a UUID.');
      const other = running.get(imageId);
      if (other !== undefined) return await other.done;
      const stop = new AbortController();
      const done = run(serverId, imageId, stop.signal).finally(() => running.delete(imageId));
      running.set(imageId, { server_id: serverId, stop, done });
      return await done;
    },
    async send(imageId) {
      const layer = isUuid(imageId) ? await layers.noted(imageId) : undefined;
      if (layer === undefined) throw notFound('compute.capture-gone', `This node has noted nothing for image ${imageId}.`);
      const sent = await send(imageId, createReadStream(layers.path(imageId), { highWaterMark: 1 << 20 }));
      if (sent.digest !== layer.digest) throw conflict('compute.capture-damaged', 'What the image service received is not what the node has sent.');
      return sent;
    },
    drop,
    async dropOf(serverId) {
      for (const [imageId, one] of running) if (one.server_id === serverId) await drop(imageId);
    },
    thaw: () => thawAll(ctx),
    async close() {
      for (const one of running.values()) one.stop.abort(dropped());
      await Promise.allSettled([...running.values()].map(({ done }) => done));
    },
  };
}

/** A layer is there when its note is. */
function layerFiles(dir: string) {
  const path = (imageId: string): string => join(dir, `${imageId}.tar`);
  const noteOf = (imageId: string): string => join(dir, `${imageId}.json`);
  return {
    path,
    async noted(imageId: string): Promise<BlobRef | undefined> {
      const text = await readFile(noteOf(imageId), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : (JSON.parse(text) as BlobRef);
    },
    async note(imageId: string, layer: BlobRef): Promise<void> {
      await writeFile(`${noteOf(imageId)}.new`, JSON.stringify(layer), { mode: 0o600 });
      await rename(`${noteOf(imageId)}.new`, noteOf(imageId));
    },
    async remove(imageId: string): Promise<void> {
      await rm(noteOf(imageId), { force: true });
      await rm(path(imageId), { force: true });
    },
    async makeRoom(): Promise<void> {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await forgetOld(dir);
    },
  };
}

const dropped = (): Fault => conflict('compute.capture-dropped', 'Nobody wants the changes of this server any more.');

async function containerOf(ctx: DriverContext, serverId: string): Promise<ContainerInspect> {
  return await engineCall('look at the server', async () => {
    const found = await findContainer(ctx, serverId);
    const container = found === undefined ? undefined : await inspectContainer(ctx, found.Id);
    if (container === undefined) throw unknownServer(serverId);
    return container;
  });
}

function changesOf({ GraphDriver }: ContainerInspect): string {
  const upper = GraphDriver?.Data?.['UpperDir'];
  if (GraphDriver?.Name === 'overlay2' && upper !== undefined && basename(upper) === 'diff') return upper;
  throw notImplemented('compute.capture-unsupported', "What a server has changed can only be read where the engine's storage driver is overlay2.");
}

/** Noted before it stands still: whatever becomes of this process, the next one lets it go on. */
async function standingStill<T>(ctx: DriverContext, serverId: string, { Id, State }: ContainerInspect, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (State.Status !== 'running') return await work();
  await ctx.notes.update(serverId, { frozen: true });
  try {
    await pause(ctx, Id);
    signal.throwIfAborted();
    return await work();
  } finally {
    await goOn(ctx, serverId, Id);
  }
}

/** One that has ended by itself needs no standing still. */
async function pause(ctx: DriverContext, id: string): Promise<void> {
  await ctx.engine.json('POST', `/containers/${id}/pause`, { timeout_ms: PAUSE_MS }).catch((error: unknown) => {
    if (!isEngineStatus(error, 409) && !isEngineStatus(error, 404)) throw error;
  });
}

async function goOn(ctx: DriverContext, serverId: string, id: string): Promise<void> {
  await ctx.engine.json('POST', `/containers/${id}/unpause`, { timeout_ms: PAUSE_MS }).catch(async (error: unknown) => {
    // Engines refuse it in several ways when it does not stand still: it was removed, or has ended.
    if ((await inspectContainer(ctx, id))?.State.Status === 'paused') throw error;
  });
  await ctx.notes.update(serverId, { frozen: false });
}

async function thawAll(ctx: DriverContext): Promise<void> {
  for (const serverId of await ctx.notes.list()) {
    if ((await ctx.notes.read(serverId)).frozen !== true) continue;
    const found = await findContainer(ctx, serverId);
    if (found !== undefined) await goOn(ctx, serverId, found.Id);
    ctx.log.info({ server_id: serverId }, 'a server that was left standing still goes on');
  }
}

async function write(folder: string, path: string, signal: AbortSignal): Promise<BlobRef> {
  const tar = readFolder(folder, signal);
  const hash = createHash('sha256');
  let size = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of asLayer(tar.stdout)) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
    const { code, stderr } = await tar.ended;
    if (code !== 0) throw new TarError(`its files cannot be read (${stderr.split('\n')[0]?.slice(0, 200) ?? 'tar was killed'})`);
  }
  try {
    await pipeline(counted(), createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 }), { signal });
  } finally {
    tar.stdout.destroy();
  }
  return { digest: hash.digest('hex'), size };
}

async function forgetOld(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const facts = await stat(join(dir, name)).catch(() => undefined);
    if (facts !== undefined && Date.now() - facts.mtimeMs > FORGOTTEN_MS) await rm(join(dir, name), { force: true });
  }
}

function captureFault(error: unknown): Error {
  if (isFault(error)) return error;
  if (error instanceof TarError) return conflict('compute.capture-failed', `The changes of the server cannot be made into a layer: ${error.message}.`, { cause: error });
  if ((error as NodeJS.ErrnoException | null)?.code === 'ENOSPC') return new Fault(507, 'compute.disk-full', "Could not note the changes of the server: the node's disk is full.", { cause: error });
  return new Fault(500, 'compute.capture-failed', 'Could not note the changes of the server: an unexpected error on its node.', { cause: error });
}

/** From a disk image to a layer: fetched, checked, made raw, its root file system found, mounted and sent on as a tar. */
import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DiskError, type ReadAt } from '../../../kernel/disk/disk-error.ts';
import { rootCandidates, type RootCandidate } from '../../../kernel/disk/root-candidates.ts';
import { badRequest, Fault, isFault, unavailable } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log/log.ts';
import { TarError } from '../../../kernel/tar.ts';
import { createGate } from '../../../kernel/gate.ts';
import type { ConvertDisk, ConvertedDisk, ConvertProgress, ImageRef } from '../protocol.ts';
import { fetchDisk } from './fetch-disk.ts';
import { archiveRoot, MOUNT_FAILED, NO_ROOT } from './mounted-root.ts';
import { checkDisk, diskFull, needTools, toolMissing, writeRaw } from './raw-disk.ts';
import { rootArchive } from './root-archive.ts';

/** The way to and from the controller. */
export interface DiskTransport {
  fetch(ref: ImageRef): Promise<Readable>;
  /** Takes the bytes of a layer. */
  upload(ref: ImageRef, body: Readable): Promise<{ digest: string; size: number }>;
}

export interface DiskConverterOptions {
  /** For this only: what a process before this one has left in it is removed. */
  directory: string;
  transport: DiskTransport;
  log: Log;
}

export interface DiskConverter {
  convert(asked: ConvertDisk, tell: Tell): Promise<ConvertedDisk>;
  close(): Promise<void>;
}

type Tell = (progress: ConvertProgress) => void;

const AT_ONCE = 2;
/** Left free for others. */
const RESERVE_BYTES = 512 * 1024 ** 2;
const WATCH_MS = 500;
const TELL_MS = 1000;

interface Job {
  asked: ConvertDisk;
  dir: string;
  signal: AbortSignal;
  tell(stage: ConvertProgress['stage'], percent: number, bytes: number): void;
}

export function createDiskConverter(options: DiskConverterOptions): DiskConverter {
  const { directory, log } = options;
  const gate = createGate(AT_ONCE);
  const running = new Map<string, Promise<ConvertedDisk>>();
  const closing = new AbortController();
  // Processes, mounts and loop devices of an earlier process ended with it.
  const swept = rm(directory, { recursive: true, force: true }).then(() => mkdir(directory, { recursive: true, mode: 0o700 }));
  swept.catch(() => {});

  async function run(asked: ConvertDisk, tell: Tell): Promise<ConvertedDisk> {
    const began = performance.now();
    await swept;
    const dir = await mkdtemp(join(directory, 'convert-'));
    const watch = watched(directory, asked.limits.seconds, closing.signal);
    try {
      const done = await convert({ asked, dir, signal: watch.signal, tell: throttled(asked.image.id, tell) }, options);
      log.info({ image_id: asked.image.id, ms: Math.round(performance.now() - began), bytes: done.layer.size }, 'a disk image was converted');
      return done;
    } catch (error) {
      throw faultOf(watch.signal.aborted ? watch.signal.reason : error);
    } finally {
      watch.end();
      await rm(dir, { recursive: true, force: true });
    }
  }

  return {
    async convert(asked, tell) {
      const key = `${asked.image.id} ${asked.image.digest}`;
      let job = running.get(key);
      if (job === undefined) {
        job = gate.run(() => run(asked, tell)).finally(() => running.delete(key));
        running.set(key, job);
      }
      return await job;
    },
    async close() {
      closing.abort(unavailable('compute.agent-stops', 'The node stops; the disk image is converted when it is back.', { retryable: true }));
      await Promise.allSettled(running.values());
    },
  };
}

async function convert({ asked, dir, signal, tell }: Job, { transport }: DiskConverterOptions): Promise<ConvertedDisk> {
  const { image, limits } = asked;
  await needTools(image.disk_format);
  const fetched = join(dir, 'fetched');
  tell('fetch', 0, 0);
  const source = await transport.fetch(image);
  const stop = (): void => void source.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  await fetchDisk(source, fetched, image, (bytes) => tell('fetch', Math.floor((100 * bytes) / Math.max(1, image.size)), 0));
  signal.removeEventListener('abort', stop);
  const virtual_size = await checkDisk(fetched, image.disk_format, limits.virtual_bytes);
  const disk = image.disk_format === 'qcow2' ? join(dir, 'raw') : fetched;
  if (disk !== fetched) {
    tell('convert', 0, 0);
    await writeRaw(fetched, disk, virtual_size, signal);
    await rm(fetched);
  }
  tell('archive', 0, 0);
  const mount_point = join(dir, 'root');
  await mkdir(mount_point);
  let why = 'none of its file systems is the root of a system';
  for (const candidate of await candidatesOf(disk, virtual_size)) {
    const sent = await sendRoot({ asked, dir, signal, tell }, transport, { disk, candidate, mount_point });
    if (typeof sent !== 'string') return { ...sent, virtual_size, file_system: candidate.type };
    if (sent !== '') why = sent;
  }
  throw new DiskError(why);
}

async function candidatesOf(disk: string, size: number): Promise<RootCandidate[]> {
  const file = await open(disk, 'r');
  const read: ReadAt = async (at, length) => {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, at);
    return bytes.subarray(0, bytesRead);
  };
  try {
    return await rootCandidates(read, size);
  } finally {
    await file.close();
  }
}

interface Source {
  disk: string;
  candidate: RootCandidate;
  mount_point: string;
}

/** @returns why this is not the root, empty for nothing special. */
async function sendRoot({ asked, signal, tell }: Job, transport: DiskTransport, { disk, candidate, mount_point }: Source): Promise<Pick<ConvertedDisk, 'layer' | 'facts'> | string> {
  const run = archiveRoot(disk, candidate, mount_point, signal);
  const archive = rootArchive(run.stdout, asked.limits.root_bytes);
  async function* whole(first: Buffer): AsyncGenerator<Buffer> {
    yield first;
    for await (const chunk of archive.chunks) {
      tell('archive', 0, archive.passed());
      yield chunk;
    }
    // Only what tar has ended well is ever whole for the controller.
    const { code, stderr } = await run.ended;
    signal.throwIfAborted();
    if (code !== 0) throw new DiskError(`its file system is damaged (${stderr.split('\n')[0]?.slice(0, 200) ?? 'tar was killed'})`);
    archive.facts();
  }
  // An archive that never began is two blocks of zeros.
  const first = await archive.chunks.next();
  if (first.done === true || first.value.every((byte) => byte === 0)) return whyEmpty(await run.ended, candidate);
  const body = Readable.from(whole(first.value), { objectMode: false });
  try {
    const layer = await transport.upload(asked.image, body);
    return { layer, facts: archive.facts() };
  } catch (error) {
    throw body.errored ?? error;
  } finally {
    body.destroy();
    run.stdout.destroy();
  }
}

function whyEmpty({ code, stderr }: { code: number | undefined; stderr: string }, candidate: RootCandidate): string {
  if (code === NO_ROOT) return '';
  if (code === MOUNT_FAILED) return `its ${candidate.type} file system cannot be mounted`;
  if (code === 127) throw toolMissing('unshare, setpriv or tar', 'util-linux');
  return `its ${candidate.type} file system cannot be read (${stderr.split('\n')[0]?.slice(0, 200)})`;
}

/** Ends a job that takes too long or fills the disk. */
function watched(directory: string, seconds: number, closing: AbortSignal): { signal: AbortSignal; end(): void } {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new DiskError(`it took longer than the ${seconds} seconds that are allowed`)), seconds * 1000);
  const look = setInterval(() => {
    void statfs(directory).then((fs) => {
      if (fs.bavail * fs.bsize < RESERVE_BYTES) stop.abort(diskFull());
    }, () => {});
  }, WATCH_MS);
  return {
    signal: AbortSignal.any([stop.signal, closing]),
    end() {
      clearTimeout(late);
      clearInterval(look);
    },
  };
}

function throttled(image_id: string, tell: Tell): Job['tell'] {
  let stage: string | undefined;
  let last = 0;
  return (next, percent, bytes) => {
    const now = performance.now();
    if (next === stage && now - last < TELL_MS) return;
    stage = next;
    last = now;
    tell({ image_id, stage: next, percent, bytes });
  };
}

function faultOf(error: unknown): Error {
  if (isFault(error)) return error;
  if (error instanceof DiskError || error instanceof TarError) return badRequest('compute.disk-invalid', `The disk image cannot be used: ${error.message}.`, { cause: error });
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull();
  return new Fault(500, 'compute.disk-failed', 'Could not convert the disk image: an unexpected error on the node.', { cause: error });
}

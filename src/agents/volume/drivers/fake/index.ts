/** Volumes in memory: sparse pages, so that a terabyte of nothing costs nothing. */
import type { Readable } from 'node:stream';
import { conflict, notFound, type Fault } from '../../../../kernel/fault.ts';
import type { BlobRef, ImageRef } from '../../../compute/protocol.ts';
import { CHUNK_BYTES, type BackendReport, type VolumeDriver, type VolumeSpec } from '../../protocol.ts';

export interface FakeVolumeOptions {
  backend?: string;
  total_bytes?: number;
  /** Where images and chunks of backups come from. */
  image?: (image: ImageRef) => Promise<Readable>;
  chunk?: (chain: string, digest: string) => Promise<Readable>;
}

/** Pages of CHUNK_BYTES by number; what is not there is zeros. */
type Pages = Map<number, Buffer>;

interface Volume {
  size_bytes: number;
  pages: Pages;
  snapshots: Map<string, { pages: Pages; size_bytes: number }>;
  open: boolean;
}

const TIB = 2 ** 40;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

const busy = (id: string): Fault => conflict('volume.busy', `The volume ${id} is in use on its node.`);
const noVolume = (id: string): Fault => notFound('volume.not-found', `The node has no volume ${id}.`);

export interface FakeVolumeDriver extends VolumeDriver {
  /** As a guest would. */
  write(volume_id: string, page: number, bytes: Buffer): void;
}

export function createFakeVolumeDriver(options: FakeVolumeOptions = {}): FakeVolumeDriver {
  const volumes = new Map<string, Volume>();
  const get = (id: string): Volume => {
    const found = volumes.get(id);
    if (found === undefined) throw noVolume(id);
    return found;
  };
  return {
    report: async () => reportOf(volumes, options),
    async create(spec) {
      if (volumes.has(spec.volume_id)) return;
      volumes.set(spec.volume_id, { size_bytes: spec.size_bytes, pages: await contentOf(spec, get, options), snapshots: new Map(), open: false });
    },
    async remove(volume_id) {
      if (volumes.get(volume_id)?.open === true) throw busy(volume_id);
      volumes.delete(volume_id);
    },
    async extend(volume_id, size_bytes) {
      const volume = get(volume_id);
      volume.size_bytes = Math.max(volume.size_bytes, size_bytes);
    },
    ...snapshotCalls(get, (id) => volumes.get(id)),
    async open(volume_id) {
      const volume = get(volume_id);
      volume.open = true;
      return { path: `/dev/fake-${volume_id}`, major: 7, minor: 1000, size_bytes: volume.size_bytes };
    },
    async close(volume_id) {
      const volume = volumes.get(volume_id);
      if (volume !== undefined) volume.open = false;
    },
    list: async () => [...volumes].map(([volume_id, { snapshots, size_bytes, open }]) => ({ volume_id, snapshots: [...snapshots.keys()], size_bytes, open })),
    async *read(volume_id) {
      const { size_bytes, pages } = get(volume_id);
      for (let at = 0; at * CHUNK_BYTES < size_bytes; at++) yield (pages.get(at) ?? ZEROS).subarray(0, Math.min(CHUNK_BYTES, size_bytes - at * CHUNK_BYTES));
    },
    stop: async () => {},
    write: (volume_id, page, bytes) => void get(volume_id).pages.set(page, Buffer.concat([bytes, ZEROS.subarray(bytes.length)])),
  };
}

type Get = (volume_id: string) => Volume;

function snapshotOf(volume: Volume, snapshot_id: string): { pages: Pages; size_bytes: number } {
  const found = volume.snapshots.get(snapshot_id);
  if (found === undefined) throw notFound('volume.snapshot-not-found', `The volume has no snapshot ${snapshot_id}.`);
  return found;
}

function snapshotCalls(get: Get, find: (id: string) => Volume | undefined): Pick<VolumeDriver, 'createSnapshot' | 'removeSnapshot' | 'revert'> {
  return {
    async createSnapshot(volume_id, snapshot_id) {
      const { snapshots, pages, size_bytes } = get(volume_id);
      if (!snapshots.has(snapshot_id)) snapshots.set(snapshot_id, { pages: new Map(pages), size_bytes });
    },
    async removeSnapshot(volume_id, snapshot_id) {
      find(volume_id)?.snapshots.delete(snapshot_id);
    },
    async revert(volume_id, snapshot_id) {
      const volume = get(volume_id);
      const snapshot = snapshotOf(volume, snapshot_id);
      if (volume.open) throw busy(volume_id);
      volume.pages = new Map(snapshot.pages);
    },
  };
}

function reportOf(volumes: Map<string, Volume>, { backend = 'fake', total_bytes = TIB }: FakeVolumeOptions): BackendReport {
  const provisioned_bytes = [...volumes.values()].reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  return { backend, driver: 'fake', total_bytes, free_bytes: total_bytes, provisioned_bytes, thin: true, multiattach: true, online_extend: true, clones: 'instant', local: true };
}

async function contentOf({ source }: VolumeSpec, get: Get, options: FakeVolumeOptions): Promise<Pages> {
  if (source.kind === 'volume') return new Map(get(source.volume_id).pages);
  if (source.kind === 'snapshot') return new Map(snapshotOf(get(source.volume_id), source.snapshot_id).pages);
  if (source.kind === 'image') return options.image === undefined ? new Map() : await pagesOf(await options.image(source.image));
  if (source.kind === 'backup') return await restored(source.chain, source.chunks, options);
  return new Map();
}

async function restored(chain: string, chunks: BlobRef[], options: FakeVolumeOptions): Promise<Pages> {
  const pages: Pages = new Map();
  for (const [at, { digest }] of chunks.entries()) {
    if (digest === '' || options.chunk === undefined) continue;
    const page = (await pagesOf(await options.chunk(chain, digest))).get(0);
    if (page !== undefined) pages.set(at, page);
  }
  return pages;
}

async function pagesOf(stream: Readable): Promise<Pages> {
  const pages: Pages = new Map();
  let at = 0;
  for await (const part of stream) {
    for (let bytes = part as Buffer; bytes.length > 0; ) {
      const number = Math.floor(at / CHUNK_BYTES);
      const page = pages.get(number) ?? Buffer.alloc(CHUNK_BYTES);
      const copied = bytes.copy(page, at % CHUNK_BYTES);
      pages.set(number, page);
      at += copied;
      bytes = bytes.subarray(copied);
    }
  }
  return pages;
}

/**
 * What the controller may ask of the volume role of a node (bus methods `volume.*`). Every call is idempotent by its ids;
 * all drivers implement the same `VolumeDriver`.
 */
import type { BlobRef, ImageRef } from '../compute/protocol.ts';

/** What a backend has, and what it can do. */
export interface BackendReport {
  backend: string;
  driver: 'file' | 'lvm' | 'nfs' | 'rbd' | 'fake';
  total_bytes: number;
  free_bytes: number;
  /** What was promised to volumes, written to or not. */
  provisioned_bytes: number;
  thin: boolean;
  multiattach: boolean;
  online_extend: boolean;
  clones: 'instant' | 'copy';
  /** Its devices are on this node only. */
  local: boolean;
}

export type VolumeSource =
  | { kind: 'blank' }
  | { kind: 'snapshot'; snapshot_id: string; volume_id: string }
  | { kind: 'volume'; volume_id: string }
  /** raw and qcow2 are written as a disk. */
  | { kind: 'image'; image: ImageRef }
  /** In order; `digest` is empty where a chunk holds zeros only. `chain`: with which `chunkPath` finds them. */
  | { kind: 'backup'; chain: string; chunks: BlobRef[] };

export interface VolumeSpec {
  volume_id: string;
  size_bytes: number;
  source: VolumeSource;
  encryption?: { /** hex */ key: string; cipher: string; key_size: number };
}

export interface LocalDevice {
  /** `/dev/loop1017` */
  path: string;
  major: number;
  minor: number;
  size_bytes: number;
}

export interface KeptVolume {
  volume_id: string;
  snapshots: string[];
  size_bytes: number;
  open: boolean;
}

export interface VolumeDriver {
  report(): Promise<BackendReport>;
  /** A new volume never shows old bytes. One that is there already stays as it is. */
  create(spec: VolumeSpec): Promise<void>;
  /** Wiped; unknown: nothing happens. Faults: 409 `volume.busy` while it is open. */
  remove(volume_id: string): Promise<void>;
  /** Also while it is open: the device grows. */
  extend(volume_id: string, size_bytes: number): Promise<void>;
  createSnapshot(volume_id: string, snapshot_id: string): Promise<void>;
  removeSnapshot(volume_id: string, snapshot_id: string): Promise<void>;
  revert(volume_id: string, snapshot_id: string): Promise<void>;
  /** The block device on this node. */
  open(volume_id: string, options: { read_only: boolean }): Promise<LocalDevice>;
  close(volume_id: string): Promise<void>;
  list(): Promise<KeptVolume[]>;
  /** The whole of it, for images and backups. */
  read(volume_id: string): AsyncIterable<Buffer>;
  stop(): Promise<void>;
}

/** The bus' names of these calls. */
export const volumeMethods = {
  create: 'volume.create',
  remove: 'volume.remove',
  extend: 'volume.extend',
  createSnapshot: 'volume.create-snapshot',
  removeSnapshot: 'volume.remove-snapshot',
  revert: 'volume.revert',
  list: 'volume.list',
  /** Sends what a volume holds to a path of the controller, as one stream. */
  send: 'volume.send',
  /** Sends the chunks that the controller lacks, and says of what a volume consists. */
  backup: 'volume.backup',
  /** Node → controller: what its backends have. */
  report: 'volume.report',
} as const;

/** Bytes of a chunk of a backup, but for the last one. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** Where a node puts and gets a chunk. A chain is a full backup with those that only hold what has changed since. */
export const chunkPath = (chain: string, digest: string): string => `/volume/agent/chunks/${chain}/${digest}`;

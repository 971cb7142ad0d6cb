import type { Readable } from 'node:stream';
import type { Transaction } from 'kysely';
import type { Call } from '../../kernel/api/endpoint.ts';
import type { Auth } from '../../kernel/context.ts';

/** Where the image service is on the port. */
export const IMAGE_PREFIX = '/image';

export interface ImageInfo {
  id: string;
  name: string | null;
  status: string;
  visibility: 'public' | 'private' | 'shared' | 'community';
  owner: string | null;
  container_format: string | null;
  disk_format: string | null;
  /** GiB and MiB. */
  min_disk: number;
  min_ram: number;
  /** Bytes; null until there are data. */
  size: number | null;
  /** Lower-case hex sha-256 of the data: what a node checks; null until there are data. */
  digest: string | null;
  /** Hex sha-256 of the container form's manifest: its identity on nodes, where there is one. `digest` may follow some seconds later then. */
  manifest_digest: string | null;
  /** Of a disk image: how far the making of its container form is. */
  conversion: { state: 'waiting' | 'running' | 'done' | 'failed'; message: string | null } | null;
  /** The system on a disk image that has its container form. */
  system: ImageSystem | null;
  created_at: string;
  updated_at: string;
  tags: string[];
  /** Custom properties (`os_command_line`, `docker:cmd` …). */
  properties: Record<string, string>;
}

/** A system with an init of its own. */
export interface ImageSystem {
  init: 'systemd' | 'busybox' | 'other';
  /** Of os-release(5): `debian`. */
  os_id: string;
  /** Who may log in; root among them. */
  users: { name: string; uid: number; gid: number; home: string }[];
  has_cloud_init: boolean;
}

/** On whose behalf another service calls: glance's own rules are checked for them. */
export type ImageCaller = Pick<Call, 'auth' | 'allows'>;

export interface ImageQuery {
  /** Here and in `status`, `in:a,b` means one of these. */
  name?: string;
  status?: string;
  min_ram?: number;
  min_disk?: number;
  /** ISO 8601; as text, for the image service to judge. */
  updated_since?: string;
  properties: Record<string, string>;
  /** The id of the image after which the page begins. */
  marker?: string;
  limit: number;
}

/** An image to be made of a server, not yet there. */
export interface NewSnapshot {
  name: string;
  visibility: 'private' | 'shared';
  min_disk: number;
  min_ram: number;
  properties: Record<string, string>;
  /** A project that shall see it beside its owner. */
  member?: string;
}

/** Images that servers are made into: the images that they run from, and one layer more. `holder` is the server's id. */
export interface SnapshotClient {
  /**
   * Keeps the container form of an image for as long as the holder needs it, whatever becomes of the image; in place of what it held before.
   * In the caller's transaction. Faults: 404.
   */
  hold(tx: Transaction<any>, holder: string, image_id: string): Promise<void>;
  release(tx: Transaction<any>, holder: string): Promise<void>;
  /** What another holds becomes the holder's, in place of what that held; when the other holds nothing (any more), nothing happens. */
  adopt(tx: Transaction<any>, holder: string, from: string): Promise<void>;
  /** A queued image; `insert` belongs into the caller's transaction. Faults: 400, 403, 413. */
  create(caller: ImageCaller, wanted: NewSnapshot): Promise<{ image: ImageInfo; insert(tx: Transaction<any>): Promise<void> }>;
  /** Its layer is about to come from a node. Faults: 410 deleted meanwhile, 409 it has data. */
  begin(id: string): Promise<void>;
  /** Its layer is there: it becomes active. Idempotent. Faults: 410 deleted meanwhile, 409 the layers below are not there. */
  finish(id: string, parts: { holder: string; base_id: string; layer: { digest: string; size: number } }): Promise<ImageInfo>;
  /** Deletes an image, whoever asks; one that is protected, or is not there, is left alone. */
  discard(id: string): Promise<void>;
  /** Images with all of these properties that have the same owner as this one, itself included; newest first. */
  siblings(id: string, properties: Record<string, string>): Promise<string[]>;
}

/** What the image service offers the others. */
export interface ImageClient {
  readonly snapshots: SnapshotClient;
  /** An image that the caller may use. Faults: 404 `image.not-found`. */
  getImage(auth: Auth, id: string): Promise<ImageInfo>;
  /** One page of what the caller sees, newest first. Faults: 400 filter or marker, 403. */
  listImages(caller: ImageCaller, query: ImageQuery): Promise<{ images: ImageInfo[]; more: boolean }>;
  /** As `getImage`, with glance's rule for it. Faults: 403, 404. */
  showImage(caller: ImageCaller, id: string): Promise<ImageInfo>;
  /**
   * Gives an image other properties, in one transaction.
   * @param change all properties there are to be, from those there are; what it throws stops the change.
   * Faults: 400, 403 not allowed or a reserved name, 404, 413 too many.
   */
  changeProperties(caller: ImageCaller, id: string, change: (old: Record<string, string>) => Record<string, string>): Promise<ImageInfo>;
  /** Faults: 403 not allowed or protected, 404. */
  deleteImage(caller: ImageCaller, id: string): Promise<void>;
  /** The container form, whoever asks: for nodes. Undefined when the image has none. Faults: 404. */
  openManifest(id: string): Promise<ImageManifest | undefined>;
  /** A blob of the container form, by hex sha-256. Faults: 404 no such image, or none of its blobs. */
  openBlob(id: string, digest: string): Promise<{ stream: Readable; size: number }>;
  /** The data, whoever asks: for nodes. Faults: 404, 204-like `image.no-data` (409). */
  openData(id: string): Promise<{ stream: Readable; size: number; digest: string | null }>;
}

/** Digests are lower-case hex sha-256. */
export interface ImageManifest {
  digest: string;
  config: { digest: string; size: number };
  /** Lowest first; `diff_id` is the digest (`sha256:…`) of the uncompressed tar, not proven for a compressed layer. */
  layers: { digest: string; size: number; diff_id: string | null; media_type: string }[];
}

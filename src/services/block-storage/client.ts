import type { Auth } from '../../kernel/context.ts';

export interface VolumeInfo {
  id: string;
  name: string | null;
  status: string;
  /** GiB */
  size: number;
  bootable: boolean;
  multiattach: boolean;
  encrypted: boolean;
  availability_zone: string;
  project_id: string;
  host: string | null;
  node_id: string | null;
  image_metadata: Record<string, string>;
  attachments: { id: string; server_id: string | null; device: string | null }[];
}

export interface NewVolume {
  /** Its id; asked twice with the same one, it is made once. */
  id?: string;
  /** GiB; 0: as its source is. */
  size: number;
  name: string;
  image_id?: string;
  snapshot_id?: string;
  source_volume_id?: string;
  volume_type?: string | null;
  availability_zone?: string | null;
  /** Where the server is that it is made for. */
  node_id: string;
}

/** As the Compute API once showed volumes. */
export interface ProxiedVolume {
  id: string;
  name: string | null;
  description: string | null;
  status: string;
  /** GiB */
  size: number;
  availability_zone: string;
  created_at: string;
  /** By its name. */
  volume_type: string | null;
  snapshot_id: string | null;
  metadata: Record<string, string>;
  attached: { server_id: string | null; device: string | null } | null;
}

export interface ProxiedSnapshot {
  id: string;
  name: string | null;
  description: string | null;
  volume_id: string;
  status: string;
  /** Of the volume, GiB. */
  size: number;
  created_at: string;
}

export interface ProxiedNewVolume {
  size: number;
  name: string | null;
  description: string | null;
  volume_type: string | null;
  snapshot_id: string | null;
  availability_zone: string | null;
  metadata: Record<string, string>;
}

/** For the calls that the Compute API had until 2.35. Faults: 404 in nova's words, else this service's. */
export interface BlockStorageProxy {
  /** Those of the project, the newest first. */
  volumes(auth: Auth): Promise<ProxiedVolume[]>;
  volume(auth: Auth, id: string): Promise<ProxiedVolume>;
  createVolume(auth: Auth, wanted: ProxiedNewVolume): Promise<ProxiedVolume>;
  snapshots(auth: Auth): Promise<ProxiedSnapshot[]>;
  snapshot(auth: Auth, id: string): Promise<ProxiedSnapshot>;
  createSnapshot(auth: Auth, wanted: { volume_id: string; name: string | null; description: string | null; force: boolean }): Promise<ProxiedSnapshot>;
  deleteSnapshot(auth: Auth, id: string): Promise<void>;
}

/** What block storage offers the others. */
export interface BlockStorageClient {
  /** Faults: 404 in nova's words when it is not there for the caller. */
  getVolume(auth: Auth, id: string): Promise<VolumeInfo>;
  /** Its id; it is `creating`. Faults: 400, 404, 413. */
  createVolume(auth: Auth, wanted: NewVolume): Promise<string>;
  /** When its making has ended: available or in error. */
  whenReady(id: string, signal: AbortSignal): Promise<VolumeInfo>;
  /** The volume is `reserved`. Faults: 400 it is not available, 404. */
  reserve(auth: Auth, volume_id: string, server_id: string): Promise<{ attachment_id: string }>;
  /** `attaching` */
  connect(attachment_id: string, connection: { node_id: string; host: string; mountpoint: string; mode: 'rw' | 'ro' }): Promise<void>;
  /** `in-use` */
  complete(attachment_id: string): Promise<void>;
  /** Back to `available`; idempotent. */
  release(attachment_id: string): Promise<void>;
  beginDetach(volume_id: string): Promise<void>;
  rollDetach(volume_id: string): Promise<void>;
  /** For images of servers that run from volumes. Faults: 400, 404, 413. */
  createSnapshot(auth: Auth, volume_id: string, name: string, force: boolean): Promise<string>;
  deleteVolume(auth: Auth, id: string): Promise<void>;
  readonly proxy: BlockStorageProxy;
}

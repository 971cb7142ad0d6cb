/** What is asked and told of disk images that become containers: a part of the protocol. */
import type { ImageRef } from './protocol.ts';

/** Who logs in to a system that came as a disk image. */
export interface LoginUser {
  name: string;
  uid: number;
  gid: number;
  /** Absolute. */
  home: string;
}

/** What is known of the root file system of a disk image. */
export interface RootFacts {
  init: 'systemd' | 'busybox' | 'other';
  /** `/sbin/init` */
  init_path: string;
  /** Of os-release(5): `debian`, `12`; empty when it says nothing. */
  os_id: string;
  os_version: string;
  /** As Go names it (`amd64`); null when no program was recognised. */
  architecture: string | null;
  /** Root, and whoever has a uid of 1000 or more. */
  users: LoginUser[];
  has_ifupdown: boolean;
  has_cloud_init: boolean;
}

/** The root file system of a disk image, to become a layer of an image. */
export interface ConvertDisk {
  /** `disk_format` raw or qcow2. */
  image: ImageRef;
  limits: { virtual_bytes: number; root_bytes: number; seconds: number };
}

export interface ConvertedDisk {
  /** The uncompressed tar that the controller now has. */
  layer: { digest: string; size: number };
  virtual_size: number;
  file_system: string;
  facts: RootFacts;
}

/** node → controller, an event. */
export interface ConvertProgress {
  image_id: string;
  stage: 'fetch' | 'convert' | 'archive';
  /** Of the fetch 0 to 100; else 0. */
  percent: number;
  /** Bytes of the root file system so far. */
  bytes: number;
}

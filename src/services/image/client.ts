import type { Readable } from 'node:stream';
import type { Auth } from '../../kernel/context.ts';

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
  created_at: string;
  updated_at: string;
  tags: string[];
  /** Custom properties (`os_command_line`, `docker:cmd` …). */
  properties: Record<string, string>;
}

/** What the image service offers the others. */
export interface ImageClient {
  /** An image that the caller may use. Faults: 404 `image.not-found`. */
  getImage(auth: Auth, id: string): Promise<ImageInfo>;
  /** The data, whoever asks: for nodes. Faults: 404, 204-like `image.no-data` (409). */
  openData(id: string): Promise<{ stream: Readable; size: number; digest: string }>;
}

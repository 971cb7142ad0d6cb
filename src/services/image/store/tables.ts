import type { MetadefTables } from './metadefs/tables.ts';

export type Visibility = 'public' | 'private' | 'shared' | 'community';
export type ImageStatus = 'queued' | 'saving' | 'uploading' | 'importing' | 'active' | 'deactivated' | 'deleted';

export interface ImageRow {
  id: string;
  name: string | null;
  status: ImageStatus;
  visibility: Visibility;
  owner: string;
  container_format: string | null;
  disk_format: string | null;
  min_disk: number;
  min_ram: number;
  size: number | null;
  virtual_size: number | null;
  /** md5 and sha-512, as glance shows them; sha-256 names the blob. */
  checksum: string | null;
  os_hash_value: string | null;
  digest: string | null;
  protected: number;
  os_hidden: number;
  /** JSON object and sorted JSON list; `image_properties` and `image_tags` hold the same for filters. */
  properties: string;
  tags: string;
  /** Names of the stores that keep the data, sorted, with commas; null: the default one, if there are data. */
  stores: string | null;
  /** The glance task that fills or copies the image now. */
  import_task: string | null;
  /** Stores, with commas; null until there was an import. */
  importing_to: string | null;
  failed_import: string | null;
  created_at: string;
  updated_at: string;
}

export type TaskStatus = 'pending' | 'processing' | 'success' | 'failure';

/** A task as glance's API shows it; the work itself is a task of the kernel. */
export interface ImageTaskRow {
  id: string;
  type: 'import' | 'api_image_import';
  status: TaskStatus;
  owner: string;
  user_id: string;
  request_id: string;
  image_id: string | null;
  /** JSON. */
  input: string;
  result: string | null;
  message: string;
  expires_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface ImageTables extends MetadefTables {
  image_tasks: ImageTaskRow;
  image_images: ImageRow;
  image_properties: { image_id: string; name: string; value: string };
  image_tags: { image_id: string; value: string };
  image_members: { image_id: string; member_id: string; status: MemberStatus; created_at: string; updated_at: string };
}

export type MemberStatus = 'pending' | 'accepted' | 'rejected';

import type { MetadefTables } from './metadefs/tables.ts';

export type Visibility = 'public' | 'private' | 'shared' | 'community';
export type ImageStatus = 'queued' | 'saving' | 'uploading' | 'importing' | 'active' | 'deactivated' | 'deleted';

/** `waiting` for a node, `running` on one; `failed` for good. */
export type ConversionState = 'waiting' | 'running' | 'done' | 'failed';

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
  /** The container form, when there is one. */
  manifest_digest: string | null;
  /** How the data are put together, where they are not the blob `digest` itself. */
  recipe_id: string | null;
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
  /** Of a disk image: where its container form is; null for all others. */
  conversion_state: ConversionState | null;
  conversion_message: string | null;
  /** JSON of what is known of the system on the disk, once it has its container form. */
  system: string | null;
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
  image_blobs: BlobRow;
  image_manifests: ManifestRow;
  image_manifest_blobs: ManifestBlobRow;
  image_recipes: RecipeRow;
  image_recipe_blobs: { recipe_id: string; digest: string };
  image_published: { image_id: string; repository_id: string; digest: string };
  image_repositories: { id: string; project_id: string; name: string; created_at: string; touched_at: string };
  image_repository_manifests: { repository_id: string; digest: string; created_at: string };
  image_repository_blobs: { repository_id: string; digest: string; created_at: string };
  image_repository_tags: { repository_id: string; tag: string; digest: string; image_id: string | null; updated_at: string };
  image_uploads: UploadRow;
  image_holds: HoldRow;
  image_cache_queue: { image_id: string; queued_at: string };
  image_members: { image_id: string; member_id: string; status: MemberStatus; created_at: string; updated_at: string };
}

export type MemberStatus = 'pending' | 'accepted' | 'rejected';

/** What a holder (a server) was made of, kept although the image may be gone. */
export interface HoldRow {
  holder: string;
  image_id: string;
  manifest_digest: string | null;
  /** As the image's. */
  system: string | null;
}

/** All digests are lower-case hex sha-256. */
export interface BlobRow {
  digest: string;
  size: number;
  state: 'writing' | 'present' | 'doomed';
  /** Since then nobody may have named it although it is wanted. */
  touched_at: string;
}

export interface ManifestRow {
  digest: string;
  media_type: string;
  artifact_type: string | null;
  /** Of the manifest that this one speaks about. */
  subject: string | null;
  /** JSON, as the descriptors of referrers show them. */
  annotations: string | null;
  size: number;
  /** Byte for byte as it came. */
  body: string;
  touched_at: string;
}

export interface ManifestBlobRow {
  manifest: string;
  /** In the order of the manifest. */
  position: number;
  role: 'config' | 'layer' | 'manifest';
  digest: string;
  size: number;
  media_type: string;
  /** Of a layer of a container image: digest of its uncompressed tar. */
  diff_id: string | null;
  /** `linux/amd64`, of a manifest in an index. */
  platform: string | null;
}

export interface RecipeRow {
  /** Digest of the archive, or of the manifest that the archive is made from. */
  id: string;
  size: number;
  /** JSON: a number is that many of the literal bytes, a text `digest:size` a whole blob. */
  parts: string;
  /** base64 of deflated bytes. */
  literals: string;
  touched_at: string;
}

export interface UploadRow {
  id: string;
  repository_id: string;
  user_id: string;
  /** Bytes that were acknowledged. */
  size: number;
  touched_at: string;
  /** The process that writes to it, and until when nobody else may unless it is gone. */
  writer: string | null;
  writing_until: string | null;
}

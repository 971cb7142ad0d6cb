/** Every microversion of the Block Storage API up to the newest that is whole here, one sentence each. */
import { type MicroversionRange, mv } from '../../kernel/api/microversion.ts';

export const versions = {
  /** v3 itself. */
  FIRST: mv('3.0'),
  /** An image made of a volume can be given visibility and protection. */
  UPLOAD_IMAGE_PARAMS: mv('3.1'),
  /** A filter on bootable has to be a boolean. */
  VOLUME_LIST_BOOTABLE: mv('3.2'),
  /** Messages tell users why something failed. */
  MESSAGES: mv('3.3'),
  /** Volumes are filtered by the metadata of their image. */
  VOLUME_LIST_GLANCE_METADATA: mv('3.4'),
  /** Messages are paged. */
  MESSAGES_PAGINATION: mv('3.5'),
  /** Consistency groups can be given empty names. */
  CG_UPDATE_BLANK: mv('3.6'),
  /** Clusters of services. */
  CLUSTERS: mv('3.7'),
  /** What could be managed is listed by manageable_volumes and manageable_snapshots. */
  MANAGEABLE: mv('3.8'),
  /** Backups can be renamed. */
  BACKUP_UPDATE: mv('3.9'),
  /** Volumes are filtered by their group. */
  VOLUME_LIST_GROUP: mv('3.10'),
  /** Group types. */
  GROUP_TYPES: mv('3.11'),
  /** A summary of volumes. */
  VOLUME_SUMMARY: mv('3.12'),
  /** Groups. */
  GROUPS: mv('3.13'),
  /** Group snapshots, and groups made of them. */
  GROUP_SNAPSHOTS: mv('3.14'),
  /** Entity tags. */
  ETAGS: mv('3.15'),
  /** A volume is migrated to a cluster. */
  MIGRATE_CLUSTER: mv('3.16'),
  /** Volumes of a cluster are managed. */
  MANAGE_CLUSTER: mv('3.17'),
  /** Backups show their project. */
  BACKUP_PROJECT: mv('3.18'),
  /** The state of a group snapshot can be set. */
  GROUP_SNAPSHOT_RESET: mv('3.19'),
  /** The state of a group can be set. */
  GROUP_RESET: mv('3.20'),
  /** Volumes show the id their backend knows them by. */
  PROVIDER_ID: mv('3.21'),
  /** Snapshots are filtered by metadata. */
  SNAPSHOT_LIST_METADATA: mv('3.22'),
  /** Deleting a volume can be forced. */
  VOLUME_DELETE_FORCE: mv('3.23'),
  /** Left-over work can be cleaned up. */
  WORKERS_CLEANUP: mv('3.24'),
  /** Groups list their volumes. */
  GROUP_VOLUME_LIST: mv('3.25'),
  /** Clusters show replication. */
  REPLICATION_CLUSTER: mv('3.26'),
  /** Attachments. */
  ATTACHMENTS: mv('3.27'),
  /** Pools are filtered by name. */
  POOL_FILTER: mv('3.28'),
  /** Group snapshots are paged. */
  GROUP_SNAPSHOT_PAGES: mv('3.29'),
  /** Snapshots are sorted by name. */
  SNAPSHOT_SORT: mv('3.30'),
  /** Unknown filters are refused. */
  RESOURCE_FILTER: mv('3.31'),
  /** Log levels of services. */
  LOG_LEVEL: mv('3.32'),
  /** The filters that there are can be read. */
  RESOURCE_FILTERS: mv('3.33'),
  /** Filters by a part of a value. */
  LIKE_FILTER: mv('3.34'),
  /** Pools are filtered by type. */
  POOL_TYPE_FILTER: mv('3.35'),
  /** The summary of volumes has their metadata. */
  SUMMARY_METADATA: mv('3.36'),
  /** Backups are sorted by name. */
  BACKUP_SORT_NAME: mv('3.37'),
  /** Groups can be replicated. */
  GROUP_REPLICATION: mv('3.38'),
  /** Administrators read the limits of any project. */
  LIMITS_ADMIN_FILTER: mv('3.39'),
  /** A volume goes back to its latest snapshot. */
  VOLUME_REVERT: mv('3.40'),
  /** Snapshots show their user. */
  SNAPSHOT_USER: mv('3.41'),
  /** Volumes grow while they are in use. */
  EXTEND_IN_USE: mv('3.42'),
  /** Backups have metadata. */
  BACKUP_METADATA: mv('3.43'),
  /** An attachment is completed by its own call. */
  ATTACHMENT_COMPLETE: mv('3.44'),
  /** Lists tell how many there are. */
  COUNT: mv('3.45'),
  /** Volumes of images that Nova made of volumes. */
  NOVA_IMAGE: mv('3.46'),
  /** Volumes are made of backups. */
  CREATE_FROM_BACKUP: mv('3.47'),
  /** Volumes show their service and whether its targets are shared. */
  SHARED_TARGETS: mv('3.48'),
  /** Services show the state of their backend. */
  BACKEND_STATE: mv('3.49'),
  /** Volumes that are attached to several servers. */
  MULTIATTACH: mv('3.50'),
  /** A backup's zone can be chosen. */
  BACKUP_AZ: mv('3.51'),
  /** Types are filtered by extra specs. */
  TYPE_FILTER: mv('3.52'),
  /** Bodies with fields that nobody knows are refused. */
  STRICT_BODIES: mv('3.53'),
  /** Attachments are made with a mode. */
  ATTACHMENT_MODE: mv('3.54'),
  /** Transfers take snapshots along. */
  TRANSFER_SNAPSHOTS: mv('3.55'),
  /** Backups show their user. */
  BACKUP_USER: mv('3.56'),
  /** Transfers show where they came from and went to. */
  TRANSFER_HISTORY: mv('3.57'),
  /** Groups and group snapshots show their project. */
  GROUP_PROJECT: mv('3.58'),
  /** Transfers are paged. */
  TRANSFER_PAGES: mv('3.59'),
  /** Volumes are filtered by time. */
  TIME_FILTER: mv('3.60'),
  /** Volumes show their cluster. */
  VOLUME_CLUSTER: mv('3.61'),
  /** Default types of projects. */
  DEFAULT_TYPES: mv('3.62'),
  /** Volumes show the id of their type. */
  VOLUME_TYPE_ID: mv('3.63'),
  /** Volumes and backups show the id of their key. */
  ENCRYPTION_KEY_ID: mv('3.64'),
  /** Volumes and snapshots show whether they count against the quota. */
  CONSUMES_QUOTA: mv('3.65'),
  /** Snapshots of volumes in use need no force. */
  SNAPSHOT_IN_USE: mv('3.66'),
  /** The project id in the URL became optional. */
  NO_PROJECT_IN_URL: mv('3.67'),
  /** A volume is written anew from an image. */
  REIMAGE: mv('3.68'),
  /** Whether targets are shared may be unknown. */
  SHARED_TARGETS_TRISTATE: mv('3.69'),
  /** Encrypted volumes can be transferred. */
  TRANSFER_ENCRYPTED: mv('3.70'),
} as const;

export const blockStorageVersions: MicroversionRange = {
  word: 'volume',
  min: versions.FIRST,
  max: versions.TRANSFER_ENCRYPTED,
  notAcceptable: (asked, range) => `Version ${asked} is not supported by the API. Minimum is 3.0 and maximum is 3.${range.max % 1000}.`,
};

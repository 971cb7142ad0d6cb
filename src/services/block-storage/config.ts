import { Type, type Static } from 'typebox';

const quota = (value: number, what: string) => Type.Integer({ default: value, minimum: -1, description: `${what} that a project may have; -1: any number.` });

/** The `[block-storage]` section of the configuration. */
export const BlockStorageSection = Type.Object(
  {
    default_volume_type: Type.String({ default: '__DEFAULT__', minLength: 1, description: 'Type of volumes that name none.' }),
    default_availability_zone: Type.String({ default: 'nova', minLength: 1, description: 'Zone of the volumes and of the nodes that hold them.' }),
    max_limit: Type.Integer({ default: 1000, minimum: 1, description: 'Most entries on one page of a list.' }),
    max_over_subscription_ratio: Type.Number({ default: 20, minimum: 1, description: 'How often the space of a backend may be promised to volumes that take it only as they are written.' }),
    reserved_percentage: Type.Integer({ default: 0, minimum: 0, maximum: 100, description: 'Share of a backend that new volumes leave free.' }),
    service_down_time: Type.Integer({ default: 90, minimum: 1, description: 'Seconds of silence after which a backend counts as down.' }),
    node_timeout: Type.Integer({ default: 120, minimum: 1, description: 'Seconds that a node has to answer; to copy what a volume holds it has copy_timeout.' }),
    copy_timeout: Type.Integer({ default: 14_400, minimum: 1, description: 'Seconds that a node has to copy what a volume holds: from images, to images, to and from backups.' }),
    message_ttl: Type.Integer({ default: 2_592_000, minimum: 1, description: 'Seconds that messages to users are kept.' }),
    quota_volumes: quota(10, 'Volumes'),
    quota_snapshots: quota(10, 'Snapshots'),
    quota_gigabytes: quota(1000, 'GiB of volumes and snapshots together'),
    quota_backups: quota(10, 'Backups'),
    quota_backup_gigabytes: quota(1000, 'GiB of backups'),
    quota_groups: quota(10, 'Groups'),
    per_volume_size_limit: Type.Integer({ default: -1, minimum: -1, description: 'GiB that one volume may have; -1: any.' }),
    no_snapshot_gb_quota: Type.Boolean({ default: false, description: 'Whether snapshots do not count as GiB.' }),
  },
  { additionalProperties: false },
);

export type BlockStorageConfig = Static<typeof BlockStorageSection>;

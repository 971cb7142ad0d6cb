import type { BlockStorageDeps } from '../deps.ts';
import type { BlockStorageConfig } from '../config.ts';
import { overQuota } from '../faults.ts';
import { backupUse, classLimits, groupUse, lockProject, projectLimits, snapshotUse, volumeUse, type Limits } from '../store/quotas.ts';
import { types, type Reader } from '../store/rows.ts';
import type { TypeRow } from '../store/tables.ts';

type Deps = Pick<BlockStorageDeps, 'config'>;

const PER_TYPE = ['volumes', 'gigabytes', 'snapshots'] as const;

const configured = (config: BlockStorageConfig): Limits => ({
  volumes: config.quota_volumes, snapshots: config.quota_snapshots, gigabytes: config.quota_gigabytes, backups: config.quota_backups,
  backup_gigabytes: config.quota_backup_gigabytes, groups: config.quota_groups, per_volume_gigabytes: config.per_volume_size_limit,
});

const ofTypes = (all: readonly TypeRow[]): Limits => Object.fromEntries(all.flatMap(({ name }) => PER_TYPE.map((resource) => [`${resource}_${name}`, -1])));

/** What a project has that has no limits of its own; each type has limits too. -1: any number. */
export async function defaultLimits(db: Reader, { config }: Deps, class_name = 'default'): Promise<Limits> {
  return { ...configured(config), ...ofTypes(await types.all(db, [])), ...(await classLimits(db, class_name)) };
}

export async function limitsOf(db: Reader, deps: Deps, project_id: string): Promise<Limits> {
  return { ...(await defaultLimits(db, deps)), ...(await projectLimits(db, project_id)) };
}

export async function usedBy(db: Reader, { config }: Deps, project_id: string): Promise<Limits> {
  const [volumes, snapshots, backups, groups, all] = await Promise.all([volumeUse(db, project_id), snapshotUse(db, project_id), backupUse(db, project_id), groupUse(db, project_id), types.all(db, [])]);
  const names = new Map(all.map(({ id, name }) => [id, name]));
  const used: Limits = { volumes: 0, snapshots: 0, gigabytes: 0, backups: backups.many, backup_gigabytes: backups.gigabytes, groups, per_volume_gigabytes: 0 };
  const add = (resource: string, type_id: string, value: number): void => {
    for (const name of [resource, `${resource}_${names.get(type_id) ?? ''}`]) used[name] = (used[name] ?? 0) + value;
  };
  for (const { type_id, many, gigabytes } of volumes) {
    add('volumes', type_id, many);
    add('gigabytes', type_id, gigabytes);
  }
  for (const { type_id, many, gigabytes } of snapshots) {
    add('snapshots', type_id, many);
    if (!config.no_snapshot_gb_quota) add('gigabytes', type_id, gigabytes);
  }
  return used;
}

const WORDS: Record<string, string> = {
  volumes: 'VolumeLimitExceeded: Maximum number of volumes allowed', snapshots: 'SnapshotLimitExceeded: Maximum number of snapshots allowed',
  backups: 'BackupLimitExceeded: Maximum number of backups allowed', groups: 'Maximum number of groups allowed',
};

/** Called in the transaction that adds, before it does. `type`: name, whose own limits count too. @throws Fault 413 */
export async function claim(tx: Reader, deps: Deps, project_id: string, wanted: Limits, type?: string): Promise<void> {
  await lockProject(tx, project_id);
  const limits = await limitsOf(tx, deps, project_id);
  const used = await usedBy(tx, deps, project_id);
  for (const [resource, more] of Object.entries(wanted)) {
    for (const name of type === undefined ? [resource] : [resource, `${resource}_${type}`]) {
      const limit = limits[name] ?? -1;
      const had = used[name] ?? 0;
      if (limit < 0 || had + more <= limit || more <= 0) continue;
      if (resource.endsWith('gigabytes')) throw overQuota(`Requested volume or snapshot exceeds allowed ${name} quota. Requested ${more}G, quota is ${limit}G and ${had}G has been consumed.`);
      throw overQuota(`${WORDS[resource]?.replace(/^\w+Exceeded: /, '') ?? 'Quota exceeded for'} (${limit}) exceeded for quota '${name}'.`);
    }
  }
}

/** @throws Fault 413 */
export async function checkVolumeSize(db: Reader, deps: Deps, project_id: string, size: number): Promise<void> {
  const limit = (await limitsOf(db, deps, project_id))['per_volume_gigabytes'] ?? -1;
  if (limit >= 0 && size > limit) throw overQuota(`Requested volume size ${size}G is larger than maximum allowed limit ${limit}G.`);
}

/** Glance's four quotas: registered limits of identity, compared with what the images of a project take. */
import type { Kysely } from 'kysely';
import { tooLarge } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import type { ImageTables } from '../store/tables.ts';
import { type ImageUsage, usageOf } from '../store/usage.ts';

export type ImageResource = 'image_size_total' | 'image_stage_total' | 'image_count_total' | 'image_count_uploading';

const MIB = 2 ** 20;

/** Sizes in MiB, rounded down, as glance counts them. */
const USED: Record<ImageResource, (usage: ImageUsage) => number> = {
  image_size_total: (usage) => Math.floor(usage.stored / MIB),
  image_stage_total: (usage) => Math.floor(usage.staged / MIB),
  image_count_total: (usage) => usage.count,
  image_count_uploading: (usage) => usage.uploading,
};
const RESOURCES = Object.keys(USED) as ImageResource[];

const bounded = (limit: number | undefined): limit is number => limit !== undefined && limit >= 0;

/** What is in use and what may be; -1: any number. */
export async function quotaUsage(deps: TaskDeps, project_id: string): Promise<Record<string, { usage: number; limit: number }>> {
  const usage = await usageOf(deps.db.read, project_id);
  const entries = RESOURCES.map(async (name) => [name, { usage: USED[name](usage), limit: (await deps.limits.limitOf(project_id, name)) ?? -1 }] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * The limits looked up, to be compared inside a transaction, in which nobody else may be asked.
 * @returns what throws Fault 413 where more is wanted than there may be
 */
export async function quotaCheck(deps: TaskDeps, project_id: string, wanted: Partial<Record<ImageResource, number>>): Promise<(db: Kysely<ImageTables>) => Promise<void>> {
  const limits = await Promise.all((Object.keys(wanted) as ImageResource[]).map(async (name) => ({ name, limit: await deps.limits.limitOf(project_id, name) })));
  return async (db) => {
    if (!limits.some(({ limit }) => bounded(limit))) return;
    const usage = await usageOf(db, project_id);
    for (const { name, limit } of limits) {
      const [used, more] = [USED[name](usage), wanted[name] ?? 0];
      if (bounded(limit) && used + more > limit) throw overQuota(project_id, name, limit, used, more);
    }
  };
}

export async function checkQuota(deps: TaskDeps, project_id: string, wanted: Partial<Record<ImageResource, number>>): Promise<void> {
  await (await quotaCheck(deps, project_id, wanted))(deps.db.read);
}

const overQuota = (project_id: string, name: string, limit: number, used: number, more: number) =>
  tooLarge('image.quota', `Project ${project_id} is over its quota of ${name}: limit ${limit}, in use ${used}, asked for ${more} more.`);

/**
 * How many bytes an image of this project may have at most: what the service takes, and what the quota leaves.
 * @param counted those of it that are in the usage already
 */
export async function sizeLimit(deps: TaskDeps, project_id: string, resource: 'image_size_total' | 'image_stage_total', counted = 0): Promise<number> {
  const most = deps.config.max_size_gb * 2 ** 30;
  const limit = await deps.limits.limitOf(project_id, resource);
  if (!bounded(limit)) return most;
  const usage = await usageOf(deps.db.read, project_id);
  const left = limit * MIB - (resource === 'image_size_total' ? usage.stored : usage.staged);
  return Math.min(most, counted + Math.max(0, left));
}

/** @param declared bytes that are to come, beside those counted already. Faults: 413 before a byte is read. */
export async function checkDeclaredSize(deps: TaskDeps, project_id: string, resource: 'image_size_total' | 'image_stage_total', declared: number | undefined, counted = 0): Promise<void> {
  const most = deps.config.max_size_gb * 2 ** 30;
  if (declared !== undefined && declared + counted > most) throw tooLarge('image.too-large', `Image exceeds the size limit of ${most} bytes.`);
  await checkQuota(deps, project_id, { [resource]: Math.floor((declared ?? 0) / MIB) });
}

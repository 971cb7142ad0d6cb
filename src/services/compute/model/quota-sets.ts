import type { Kysely } from 'kysely';
import { forbidden, type Fault } from '../../../kernel/fault.ts';
import type { ComputeConfig } from '../config.ts';
import type { ComputeDeps } from '../deps.ts';
import { classQuotas, lockProject, projectQuotas, userQuotas } from '../store/quota-sets.ts';
import { usageOf, usageOfUser, type Usage } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';

export const quotaResources = [
  'instances',
  'cores',
  'ram',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_length',
  'key_pairs',
  'server_groups',
  'server_group_members',
] as const;

export type QuotaResource = (typeof quotaResources)[number];
export type Quotas = Record<QuotaResource, number>;

export function defaultQuotas(config: ComputeConfig): Quotas {
  return Object.fromEntries(quotaResources.map((name) => [name, config[`quota_${name}`]])) as Quotas;
}

type Reader = Kysely<ComputeTables>;

/** What has to be known beside the rows: the defaults, and who keeps unified limits. */
export type QuotaDeps = Pick<ComputeDeps, 'config' | 'identity'>;

/** By what name identity's unified limits know each of them: nova's own. */
const UNIFIED: Record<QuotaResource, string> = {
  instances: 'servers', cores: 'class:VCPU', ram: 'class:MEMORY_MB', metadata_items: 'server_metadata_items', injected_files: 'server_injected_files',
  injected_file_content_bytes: 'server_injected_file_content_bytes', injected_file_path_length: 'server_injected_file_path_bytes', key_pairs: 'server_key_pairs',
  server_groups: 'server_groups', server_group_members: 'server_group_members',
};

/** What nobody has registered is not limited. */
async function unifiedQuotas({ identity }: QuotaDeps, project_id: string): Promise<Quotas> {
  const limit = async (resource_name: string): Promise<number> => (await identity.limitOf({ service: 'compute', resource_name, project_id })) ?? -1;
  return Object.fromEntries(await Promise.all(quotaResources.map(async (name) => [name, await limit(UNIFIED[name])]))) as Quotas;
}

/** What a project has that has no limits of its own: the class `default` where it was set, else the configuration; or what is registered with identity. */
export async function classDefaults(db: Reader, deps: QuotaDeps): Promise<Quotas> {
  if (deps.config.quota_driver === 'unified') return await unifiedQuotas(deps, '');
  return { ...defaultQuotas(deps.config), ...Object.fromEntries(await classQuotas(db, 'default')) };
}

/** A project's limits: its own where they were set, else the defaults. -1: any number. With unified limits, what identity says. */
export async function quotasOf(db: Reader, deps: QuotaDeps, project_id: string): Promise<Quotas> {
  if (deps.config.quota_driver === 'unified') return await unifiedQuotas(deps, project_id);
  return { ...(await classDefaults(db, deps)), ...Object.fromEntries(await projectQuotas(db, project_id)) };
}

/** The limits of one user in a project: those of the project where the user has none. Unified limits know no users. */
export async function userQuotasOf(db: Reader, deps: QuotaDeps, project_id: string, user_id: string): Promise<Quotas> {
  return { ...(await quotasOf(db, deps, project_id)), ...Object.fromEntries(await ownUserQuotas(db, deps, project_id, user_id)) };
}

async function ownUserQuotas(db: Reader, { config }: QuotaDeps, project_id: string, user_id: string | undefined): Promise<Map<string, number>> {
  return user_id === undefined || config.quota_driver === 'unified' ? new Map() : await userQuotas(db, project_id, user_id);
}

const counted = ['instances', 'cores', 'ram'] as const;

/**
 * How many servers of this size may be made: `max` or, down to `min`, what still fits. Pure.
 * @returns a Fault 403 in nova's words when not even `min` fit.
 */
export function serversThatFit(quotas: Quotas, used: Usage, size: { vcpus: number; ram_mb: number }, min: number, max: number): number | Fault {
  const each: Usage = { instances: 1, cores: size.vcpus, ram: size.ram_mb };
  const room = (name: (typeof counted)[number]): number => (quotas[name] < 0 ? Infinity : Math.max(0, quotas[name] - used[name]));
  const fit = Math.min(max, ...counted.map((name) => (each[name] === 0 ? Infinity : Math.floor(room(name) / each[name]))));
  if (fit >= min) return fit;
  const over = counted.filter((name) => each[name] * max > room(name));
  const asked = (name: (typeof counted)[number]): string => (name === 'instances' && min !== max ? `${min}-${max}` : String(each[name] * max));
  const names = over.join(', ');
  const message =
    `Quota exceeded for ${names}: Requested ${over.map(asked).join(', ')}, but already used ` +
    `${over.map((name) => used[name]).join(', ')} of ${over.map((name) => quotas[name]).join(', ')} ${names}`;
  return forbidden('compute.quota-exceeded', message, { type: 'TooManyInstances' });
}

/** Inside the transaction that makes the servers. @param user_id whose own limits count too. @throws Fault 403 */
export async function claimServerQuota(
  tx: Kysely<ComputeTables>,
  deps: QuotaDeps,
  project_id: string,
  size: { vcpus: number; ram_mb: number },
  count: { min: number; max: number },
  user_id?: string,
): Promise<number> {
  await lockProject(tx, project_id);
  const quotas = await quotasOf(tx, deps, project_id);
  const fit = serversThatFit(quotas, await usageOf(tx, project_id), size, count.min, count.max);
  if (typeof fit !== 'number') throw fit;
  const ofUser = await ownUserQuotas(tx, deps, project_id, user_id);
  if (user_id === undefined || ofUser.size === 0) return fit;
  const fitUser = serversThatFit({ ...quotas, ...Object.fromEntries(ofUser) }, await usageOfUser(tx, project_id, user_id), size, count.min, fit);
  if (typeof fitUser !== 'number') throw fitUser;
  return fitUser;
}

interface Size {
  vcpus: number;
  ram_mb: number;
}

/**
 * Whether a server's owner may let it grow. Inside the transaction that has made it count as the larger one already.
 * @throws Fault 403 in nova's words
 */
export async function checkGrowth(tx: Reader, deps: QuotaDeps, { project_id, user_id }: { project_id: string; user_id: string }, from: Size, to: Size): Promise<void> {
  const growth = { cores: Math.max(0, to.vcpus - from.vcpus), ram: Math.max(0, to.ram_mb - from.ram_mb) };
  if (growth.cores === 0 && growth.ram === 0) return;
  await lockProject(tx, project_id);
  const quotas = await quotasOf(tx, deps, project_id);
  refuseGrowth(quotas, await usageOf(tx, project_id), growth);
  const ofUser = await ownUserQuotas(tx, deps, project_id, user_id);
  if (ofUser.size > 0) refuseGrowth({ ...quotas, ...Object.fromEntries(ofUser) }, await usageOfUser(tx, project_id, user_id), growth);
}

function refuseGrowth(quotas: Quotas, after: Usage, growth: { cores: number; ram: number }): void {
  const over = (['cores', 'ram'] as const).filter((name) => growth[name] > 0 && quotas[name] >= 0 && after[name] > quotas[name]);
  if (over.length === 0) return;
  const names = over.join(', ');
  const list = (value: (name: 'cores' | 'ram') => number): string => over.map(value).join(', ');
  const message = `Quota exceeded for ${names}: Requested ${list((name) => growth[name])}, but already used ${list((name) => after[name] - growth[name])} of ${list((name) => quotas[name])} ${names}`;
  throw forbidden('compute.quota-exceeded', message, { type: 'TooManyInstances' });
}

/** What counts against quotas, and the limits that may be set. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { deleteQuotas, highestUserQuotas, lockProject, saveClassQuotas, saveQuotas } from '../store/quota-sets.ts';
import { countGroups } from '../store/server-groups.ts';
import { usageOf, usageOfUser } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { quotaResources, quotasOf, userQuotasOf, type QuotaDeps, type Quotas } from './quota-sets.ts';

type Reader = Kysely<ComputeTables>;
type Deps = Pick<ComputeDeps, 'db' | 'config' | 'identity'>;

/** Whose quota: a project's, or that of one user in it. */
export interface QuotaOwner {
  project_id: string;
  user_id: string | undefined;
}

/** Quotas of the network that nova once had: they are kept when they are set, and limit nothing. */
export const legacyResources = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'] as const;

const NO_LEGACY = Object.fromEntries(legacyResources.map((name) => [name, -1]));

/** Limits by resource, the legacy ones too. */
export type AllQuotas = Quotas & Record<(typeof legacyResources)[number], number>;

export async function limitsOf(db: Reader, deps: QuotaDeps, owner: QuotaOwner): Promise<AllQuotas> {
  const { project_id, user_id } = owner;
  const set = user_id === undefined ? await quotasOf(db, deps, project_id) : await userQuotasOf(db, deps, project_id, user_id);
  return { ...NO_LEGACY, ...set } as AllQuotas;
}

export const withLegacy = (quotas: Quotas): AllQuotas => ({ ...NO_LEGACY, ...quotas }) as AllQuotas;

/** What is used, by resource. As in nova, key pairs and members of groups are counted only where they are made. */
export async function usedBy(db: Reader, owner: QuotaOwner): Promise<Record<string, number>> {
  const { project_id, user_id } = owner;
  const servers = user_id === undefined ? await usageOf(db, project_id) : await usageOfUser(db, project_id, user_id);
  const none = Object.fromEntries([...quotaResources, ...legacyResources].map((name) => [name, 0]));
  return { ...none, ...servers, server_groups: await countGroups(db, project_id) };
}

const asNumber = (limit: number): number => (limit < 0 ? Infinity : limit);

/**
 * Sets limits; -1: any number. Without `force` nothing is set below what is used, nor for a user above what the project has.
 * @throws Fault 400 in nova's words; nothing is set then.
 */
export async function setQuotas(deps: Deps, owner: QuotaOwner, limits: Readonly<Record<string, number>>, force: boolean): Promise<AllQuotas> {
  refuseUnified(deps);
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await lockProject(tx, owner.project_id);
    for (const [resource, limit] of Object.entries(limits)) {
      if (limit < -1) throw badRequest('compute.quota-invalid', `Quota limit ${limit} for ${resource} must be -1 or greater.`);
    }
    if (!force) await checkLimits(tx, deps, owner, limits);
    await saveQuotas(tx, owner.project_id, owner.user_id ?? '', limits);
    return await limitsOf(tx, deps, owner);
  });
}

async function checkLimits(tx: Reader, deps: QuotaDeps, owner: QuotaOwner, limits: Readonly<Record<string, number>>): Promise<void> {
  const used = await usedBy(tx, owner);
  const project = owner.user_id === undefined ? undefined : await limitsOf(tx, deps, { ...owner, user_id: undefined });
  const ofUsers = owner.user_id === undefined ? await highestUserQuotas(tx, owner.project_id) : new Map<string, number>();
  for (const [resource, limit] of Object.entries(limits)) {
    const least = Math.max(used[resource] ?? 0, ofUsers.get(resource) ?? 0);
    if (asNumber(limit) < least) {
      throw badRequest('compute.quota-invalid', `Quota limit ${limit} for ${resource} must be greater than or equal to already used and reserved ${least}.`);
    }
    const most = project === undefined ? -1 : project[resource as keyof AllQuotas];
    if (asNumber(limit) > asNumber(most)) throw badRequest('compute.quota-invalid', `Quota limit ${limit} for ${resource} must be less than or equal to ${most}.`);
  }
}

/** @throws Fault 400: what would be set here would limit nothing. */
function refuseUnified({ config }: Deps): void {
  if (config.quota_driver === 'unified') throw badRequest('compute.quota-unified', 'Limits of this cloud are kept by the identity service as unified limits: set them there.');
}

/** Back to the defaults. */
export async function forgetQuotas(deps: Deps, owner: QuotaOwner): Promise<void> {
  refuseUnified(deps);
  await deps.db.transaction((tx) => deleteQuotas(asTransaction<ComputeTables>(tx), owner.project_id, owner.user_id));
}

/** The class `default` is what projects have that were given no limits. */
export async function setClassQuotas(deps: Deps, class_name: string, limits: Readonly<Record<string, number>>): Promise<void> {
  refuseUnified(deps);
  await deps.db.transaction((tx) => saveClassQuotas(asTransaction<ComputeTables>(tx), class_name, limits));
}

import { overQuota } from '../faults.ts';
import { countUsage, lockQuotas, QUOTA_TABLES, quotasOf, type QuotaResource } from '../store/quotas.ts';
import type { NetworkTables, Tx } from '../store/tables.ts';
import type { NetworkConfig } from '../config.ts';
import type { NetworkDeps } from '../deps.ts';
import type { Kysely } from 'kysely';

export type Quotas = Record<QuotaResource, number>;

export const quotaResources = Object.keys(QUOTA_TABLES) as QuotaResource[];

export function defaultQuotas(config: NetworkConfig): Quotas {
  return {
    network: config.quota_network,
    subnet: config.quota_subnet,
    port: config.quota_port,
    security_group: config.quota_security_group,
    security_group_rule: config.quota_security_group_rule,
    router: config.quota_router,
    floatingip: config.quota_floatingip,
  };
}

export async function effectiveQuotas(env: Pick<NetworkDeps, 'config'>, db: Kysely<NetworkTables>, project_id: string): Promise<Quotas> {
  const own = (await quotasOf(db, project_id)).map((row) => [row.resource, row.value]);
  return { ...defaultQuotas(env.config), ...(Object.fromEntries(own) as Partial<Quotas>) };
}

/**
 * Refuses what would exceed the quota; holds the project's count until this transaction ends, so that two at once
 * never both take the last place. Faults: 409 OverQuota.
 */
export async function takeQuota(env: NetworkDeps, tx: Tx, project_id: string, wanted: Partial<Quotas>): Promise<void> {
  const quotas = await effectiveQuotas(env, tx, project_id);
  const limited = (Object.entries(wanted) as [QuotaResource, number][]).filter(([resource]) => quotas[resource] >= 0);
  if (limited.length === 0) return;
  await lockQuotas(tx, project_id);
  const over: string[] = [];
  for (const [resource, count] of limited) {
    if ((await countUsage(tx, project_id, resource)) + count > quotas[resource]) over.push(resource);
  }
  if (over.length > 0) throw overQuota(over);
}

import type { Kysely } from 'kysely';
import type { NetworkTables, QuotaRow, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

/** What counts towards a quota, by the quota's name. */
export const QUOTA_TABLES = {
  network: 'network_networks',
  subnet: 'network_subnets',
  port: 'network_ports',
  security_group: 'network_security_groups',
  security_group_rule: 'network_security_group_rules',
  router: 'network_routers',
  floatingip: 'network_floating_ips',
} as const;

export type QuotaResource = keyof typeof QUOTA_TABLES;

export async function quotasOf(db: Db, project_id: string): Promise<QuotaRow[]> {
  return db.selectFrom('network_quotas').selectAll().where('project_id', '=', project_id).execute();
}

export async function allQuotas(db: Db): Promise<QuotaRow[]> {
  return db.selectFrom('network_quotas').selectAll().orderBy('project_id').orderBy('resource').limit(100_000).execute();
}

export async function setQuota(tx: Tx, row: QuotaRow): Promise<void> {
  await tx.insertInto('network_quotas').values(row).onConflict((on) => on.columns(['project_id', 'resource']).doUpdateSet({ value: row.value })).execute();
}

export async function dropQuotas(tx: Tx, project_id: string): Promise<number> {
  return Number((await tx.deleteFrom('network_quotas').where('project_id', '=', project_id).executeTakeFirst()).numDeletedRows);
}

/** Whoever counts in this project waits for this transaction. */
export async function lockQuotas(tx: Tx, project_id: string): Promise<void> {
  await tx.insertInto('network_quota_locks').values({ project_id, turns: 1 })
    .onConflict((on) => on.column('project_id').doUpdateSet((eb) => ({ turns: eb('network_quota_locks.turns', '+', 1) }))).execute();
}

export async function countUsage(db: Db, project_id: string, resource: QuotaResource): Promise<number> {
  const row = await db.selectFrom(QUOTA_TABLES[resource]).select((eb) => eb.fn.countAll<number>().as('used')).where('project_id', '=', project_id).executeTakeFirstOrThrow();
  return Number(row.used);
}

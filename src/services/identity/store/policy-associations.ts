import { sql, type Kysely } from 'kysely';
import type { EndpointRow, PolicyAssociationRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

/** A target has one policy: a new one takes the place of the former. */
export async function putAssociation(db: Db, row: PolicyAssociationRow): Promise<void> {
  await db
    .insertInto('identity_policy_associations')
    .values(row)
    .onConflict((conflict) => conflict.column('target').doUpdateSet({ policy_id: row.policy_id }))
    .execute();
}

export async function policyOfTarget(db: Db, target: string): Promise<string | undefined> {
  return (await db.selectFrom('identity_policy_associations').select('policy_id').where('target', '=', target).executeTakeFirst())?.policy_id;
}

export async function deleteAssociation(db: Db, target: string): Promise<void> {
  await db.deleteFrom('identity_policy_associations').where('target', '=', target).execute();
}

/** Endpoints to which a policy applies by an association of their own, of their service, or of their service in a region or one above it. */
export async function endpointsOfPolicy(db: Db, policy_id: string, limit: number): Promise<EndpointRow[]> {
  const { rows } = await sql<EndpointRow>`
    with recursive own(endpoint_id, service_id, region_id) as (
      select a.endpoint_id, a.service_id, a.region_id from identity_policy_associations a where a.policy_id = ${policy_id}),
    below(service_id, region_id) as (
      select o.service_id, o.region_id from own o where o.region_id is not null
      union select b.service_id, r.id from below b join identity_regions r on r.parent_region_id = b.region_id),
    chosen(id) as (
      select o.endpoint_id from own o where o.endpoint_id is not null
      union select e.id from own o cross join identity_endpoints e where o.service_id is not null and o.region_id is null and e.service_id = o.service_id
      union select e.id from below b cross join identity_endpoints e where e.service_id = b.service_id and e.region_id = b.region_id)
    select e.* from chosen c cross join identity_endpoints e where e.id = c.id order by e.id limit ${limit}`.execute(db);
  return rows;
}

import type { Kysely } from 'kysely';
import type { EndpointRow, ServiceRow, Tables } from './tables.ts';

export type CatalogRow = Pick<EndpointRow, 'id' | 'interface' | 'region_id' | 'url'> & Pick<ServiceRow, 'type' | 'name'> & { service_id: string };

/** Every enabled endpoint of every enabled service; services without endpoints are in no catalog. */
export async function readCatalog(db: Kysely<Tables>): Promise<CatalogRow[]> {
  return await db
    .selectFrom('identity_services as s')
    .innerJoin('identity_endpoints as e', 'e.service_id', 's.id')
    .select(['s.id as service_id', 's.type', 's.name', 'e.id', 'e.interface', 'e.region_id', 'e.url'])
    .where('s.enabled', '=', 1)
    .where('e.enabled', '=', 1)
    .orderBy('s.type')
    .orderBy('s.id')
    .orderBy('e.interface', 'desc')
    .orderBy('e.id')
    .execute();
}

import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { EndpointRow, RegionRow, ServiceRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertService(db: Db, row: ServiceRow): Promise<void> {
  await db.insertInto('identity_services').values(row).execute();
}

export async function findService(db: Db, id: string): Promise<ServiceRow | undefined> {
  return await db.selectFrom('identity_services').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findServiceByType(db: Db, type: string): Promise<ServiceRow | undefined> {
  return await db.selectFrom('identity_services').selectAll().where('type', '=', type).orderBy('id').limit(1).executeTakeFirst();
}

export async function listServices(db: Db, options: ListOptions): Promise<Page<ServiceRow>> {
  return await listRows(db.selectFrom('identity_services').selectAll(), options, 'id');
}

export async function updateService(db: Db, id: string, values: Partial<ServiceRow>): Promise<void> {
  await db.updateTable('identity_services').set(values).where('id', '=', id).execute();
}

export async function deleteService(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_services').where('id', '=', id).execute();
}

export async function insertEndpoint(db: Db, row: EndpointRow): Promise<void> {
  await db.insertInto('identity_endpoints').values(row).execute();
}

export async function findEndpoint(db: Db, id: string): Promise<EndpointRow | undefined> {
  return await db.selectFrom('identity_endpoints').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listEndpoints(db: Db, options: ListOptions): Promise<Page<EndpointRow>> {
  return await listRows(db.selectFrom('identity_endpoints').selectAll(), options, 'id');
}

export async function endpointsOfService(db: Db, service_id: string): Promise<EndpointRow[]> {
  return await db.selectFrom('identity_endpoints').selectAll().where('service_id', '=', service_id).orderBy('id').execute();
}

export async function updateEndpoint(db: Db, id: string, values: Partial<EndpointRow>): Promise<void> {
  await db.updateTable('identity_endpoints').set(values).where('id', '=', id).execute();
}

export async function deleteEndpoint(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_endpoints').where('id', '=', id).execute();
}

export async function insertRegion(db: Db, row: RegionRow): Promise<void> {
  await db.insertInto('identity_regions').values(row).execute();
}

export async function findRegion(db: Db, id: string): Promise<RegionRow | undefined> {
  return await db.selectFrom('identity_regions').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listRegions(db: Db, options: ListOptions): Promise<Page<RegionRow>> {
  return await listRows(db.selectFrom('identity_regions').selectAll(), options, 'id');
}

export async function childRegions(db: Db, id: string): Promise<RegionRow[]> {
  return await db.selectFrom('identity_regions').selectAll().where('parent_region_id', '=', id).execute();
}

export async function regionHasEndpoints(db: Db, id: string): Promise<boolean> {
  return (await db.selectFrom('identity_endpoints').select('id').where('region_id', '=', id).limit(1).executeTakeFirst()) !== undefined;
}

export async function updateRegion(db: Db, id: string, values: Partial<RegionRow>): Promise<void> {
  await db.updateTable('identity_regions').set(values).where('id', '=', id).execute();
}

export async function deleteRegion(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_regions').where('id', '=', id).execute();
}

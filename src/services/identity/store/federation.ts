/** Identity providers, their protocols, the mappings that these use, and service providers. */
import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { IdentityProviderRow, MappingRow, ProtocolRow, ServiceProviderRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertIdentityProvider(db: Db, row: IdentityProviderRow): Promise<void> {
  await db.insertInto('identity_identity_providers').values(row).execute();
}

export async function findIdentityProvider(db: Db, id: string): Promise<IdentityProviderRow | undefined> {
  return await db.selectFrom('identity_identity_providers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listIdentityProviders(db: Db, options: ListOptions): Promise<Page<IdentityProviderRow>> {
  return await listRows(db.selectFrom('identity_identity_providers').selectAll(), options, 'id');
}

export async function updateIdentityProvider(db: Db, id: string, values: Partial<IdentityProviderRow>): Promise<void> {
  await db.updateTable('identity_identity_providers').set(values).where('id', '=', id).execute();
}

export async function deleteIdentityProvider(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_identity_providers').where('id', '=', id).execute();
}

/** Provider → the names by which it calls itself. */
export async function remoteIdsOf(db: Db, ids: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  if (ids.length === 0) return found;
  const rows = await db.selectFrom('identity_remote_ids').selectAll().where('identity_provider_id', 'in', ids).orderBy('remote_id').execute();
  for (const row of rows) found.set(row.identity_provider_id, [...(found.get(row.identity_provider_id) ?? []), row.remote_id]);
  return found;
}

export async function takenRemoteId(db: Db, identity_provider_id: string, remote_ids: readonly string[]): Promise<string | undefined> {
  if (remote_ids.length === 0) return undefined;
  const row = await db.selectFrom('identity_remote_ids').select('remote_id').where('remote_id', 'in', remote_ids).where('identity_provider_id', '!=', identity_provider_id).limit(1).executeTakeFirst();
  return row?.remote_id;
}

export async function replaceRemoteIds(db: Db, identity_provider_id: string, remote_ids: readonly string[]): Promise<void> {
  await db.deleteFrom('identity_remote_ids').where('identity_provider_id', '=', identity_provider_id).execute();
  if (remote_ids.length > 0) await db.insertInto('identity_remote_ids').values(remote_ids.map((remote_id) => ({ remote_id, identity_provider_id }))).execute();
}

export async function insertMapping(db: Db, row: MappingRow): Promise<void> {
  await db.insertInto('identity_mappings').values(row).execute();
}

export async function findMapping(db: Db, id: string): Promise<MappingRow | undefined> {
  return await db.selectFrom('identity_mappings').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listMappings(db: Db, options: ListOptions): Promise<Page<MappingRow>> {
  return await listRows(db.selectFrom('identity_mappings').selectAll(), options, 'id');
}

export async function updateMapping(db: Db, id: string, values: Partial<MappingRow>): Promise<void> {
  await db.updateTable('identity_mappings').set(values).where('id', '=', id).execute();
}

export async function deleteMapping(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_mappings').where('id', '=', id).execute();
}

export async function insertProtocol(db: Db, row: ProtocolRow): Promise<void> {
  await db.insertInto('identity_protocols').values(row).execute();
}

export async function findProtocol(db: Db, identity_provider_id: string, id: string): Promise<ProtocolRow | undefined> {
  return await db.selectFrom('identity_protocols').selectAll().where('identity_provider_id', '=', identity_provider_id).where('id', '=', id).executeTakeFirst();
}

export async function listProtocols(db: Db, identity_provider_id: string, options: ListOptions): Promise<Page<ProtocolRow>> {
  return await listRows(db.selectFrom('identity_protocols').selectAll().where('identity_provider_id', '=', identity_provider_id), options, 'id');
}

export async function updateProtocol(db: Db, identity_provider_id: string, id: string, values: Partial<ProtocolRow>): Promise<void> {
  await db.updateTable('identity_protocols').set(values).where('identity_provider_id', '=', identity_provider_id).where('id', '=', id).execute();
}

export async function deleteProtocol(db: Db, identity_provider_id: string, id: string): Promise<void> {
  await db.deleteFrom('identity_protocols').where('identity_provider_id', '=', identity_provider_id).where('id', '=', id).execute();
}

export async function insertServiceProvider(db: Db, row: ServiceProviderRow): Promise<void> {
  await db.insertInto('identity_service_providers').values(row).execute();
}

export async function findServiceProvider(db: Db, id: string): Promise<ServiceProviderRow | undefined> {
  return await db.selectFrom('identity_service_providers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listServiceProviders(db: Db, options: ListOptions): Promise<Page<ServiceProviderRow>> {
  return await listRows(db.selectFrom('identity_service_providers').selectAll(), options, 'id');
}

export async function updateServiceProvider(db: Db, id: string, values: Partial<ServiceProviderRow>): Promise<void> {
  await db.updateTable('identity_service_providers').set(values).where('id', '=', id).execute();
}

export async function deleteServiceProvider(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_service_providers').where('id', '=', id).execute();
}

/** Those that a token names. */
export async function enabledServiceProviders(db: Db, limit: number): Promise<Pick<ServiceProviderRow, 'id' | 'auth_url' | 'sp_url'>[]> {
  return await db.selectFrom('identity_service_providers').select(['id', 'auth_url', 'sp_url']).where('enabled', '=', 1).orderBy('id').limit(limit).execute();
}

/** Who else may say who somebody is, by which protocols; and other clouds that trust this one. */
import { badRequest, conflict, type Fault } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { noSuch, taken } from '../faults.ts';
import {
  deleteIdentityProvider as removeProvider, deleteProtocol as removeProtocol, deleteServiceProvider as removeServiceProvider, findIdentityProvider, findMapping, findProtocol,
  findServiceProvider, insertIdentityProvider, insertProtocol, insertServiceProvider, remoteIdsOf, replaceRemoteIds, takenRemoteId,
  updateIdentityProvider as writeProvider, updateProtocol as writeProtocol, updateServiceProvider as writeServiceProvider,
} from '../store/federation.ts';
import { findProject, insertProject } from '../store/projects.ts';
import type { IdentityProviderRow, ProtocolRow, ServiceProviderRow } from '../store/tables.ts';
import { change, type Identity, type Tx } from './identity.ts';

export interface IdentityProviderInput {
  enabled?: boolean;
  description?: string | null;
  authorization_ttl?: number | null;
  remote_ids?: string[] | null;
  domain_id?: string | null;
}
export type IdentityProvider = IdentityProviderRow & { remote_ids: string[] };

/** Runs an insertion; what is there already is a Fault 409. */
async function named<T>(kind: string, id: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isUniqueViolation(error)) throw taken(kind, `Duplicate entry found with ID ${id}`);
    throw error;
  }
}

/** Without a domain it gets one of its own. Faults: 404 for an unknown domain, 409. */
export async function createIdentityProvider(identity: Identity, id: string, input: IdentityProviderInput): Promise<IdentityProvider> {
  return await change(identity, async (tx) => {
    const domain_id = input.domain_id ?? (await createOwnDomain(tx, id));
    const domain = await findProject(tx, domain_id);
    if (domain === undefined || domain.is_domain === 0) throw noSuch('domain', domain_id);
    const { description = null, authorization_ttl = null } = input;
    const row: IdentityProviderRow = { id, domain_id, enabled: input.enabled === true ? 1 : 0, description, authorization_ttl };
    await named('identity provider', id, () => insertIdentityProvider(tx, row));
    return { ...row, remote_ids: await writeRemoteIds(tx, id, input.remote_ids ?? []) };
  });
}

async function createOwnDomain(tx: Tx, provider: string): Promise<string> {
  const id = hexId();
  const description = `Made for the users of the identity provider ${provider}`;
  await insertProject(tx, { id, name: id, domain_id: '', parent_id: null, is_domain: 1, enabled: 1, description, options: '{}', extra: '{}' });
  return id;
}

async function writeRemoteIds(tx: Tx, id: string, remote_ids: string[]): Promise<string[]> {
  const other = await takenRemoteId(tx, id, remote_ids);
  if (other !== undefined) throw conflict('identity.remote-id-exists', `Duplicate remote ID: ${other}`);
  await replaceRemoteIds(tx, id, remote_ids);
  return remote_ids;
}

/** Disabled, it takes the tokens of its users with it. */
export async function updateIdentityProvider(identity: Identity, id: string, { remote_ids, enabled, ...values }: Omit<IdentityProviderInput, 'domain_id'>): Promise<IdentityProvider> {
  return await change(identity, async (tx, touch) => {
    const row = await findIdentityProvider(tx, id);
    if (row === undefined) throw noSuch('identity provider', id);
    const next = { ...row, ...values, ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }) };
    await writeProvider(tx, id, next);
    if (next.enabled !== row.enabled) touch('everybody');
    const shown = remote_ids === undefined ? (await remoteIdsOf(tx, [id])).get(id) ?? [] : await writeRemoteIds(tx, id, remote_ids ?? []);
    return { ...next, remote_ids: shown };
  });
}

export async function deleteIdentityProvider(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findIdentityProvider(tx, id)) === undefined) throw noSuch('identity provider', id);
    await removeProvider(tx, id);
    touch('everybody');
  });
}

export interface ProtocolInput { mapping_id: string; remote_id_attribute?: string | null }

async function assertMapping(tx: Tx, id: string): Promise<void> {
  if ((await findMapping(tx, id)) === undefined) throw badRequest('identity.mapping-invalid', `Invalid mapping id: ${id}`);
}

export async function createProtocol(identity: Identity, identity_provider_id: string, id: string, input: ProtocolInput): Promise<ProtocolRow> {
  return await change(identity, async (tx) => {
    await assertMapping(tx, input.mapping_id);
    if ((await findIdentityProvider(tx, identity_provider_id)) === undefined) throw noSuch('identity provider', identity_provider_id);
    const row: ProtocolRow = { id, identity_provider_id, mapping_id: input.mapping_id, remote_id_attribute: input.remote_id_attribute ?? null };
    await named('federation protocol', id, () => insertProtocol(tx, row));
    return row;
  });
}

export function noSuchProtocol(identity_provider_id: string, id: string): Fault {
  return noSuch('federated protocol', `${id} for identity provider: ${identity_provider_id}`);
}

export async function updateProtocol(identity: Identity, identity_provider_id: string, id: string, input: ProtocolInput): Promise<ProtocolRow> {
  return await change(identity, async (tx) => {
    await assertMapping(tx, input.mapping_id);
    const row = await findProtocol(tx, identity_provider_id, id);
    if (row === undefined) throw noSuchProtocol(identity_provider_id, id);
    const { mapping_id, remote_id_attribute = row.remote_id_attribute } = input;
    await writeProtocol(tx, identity_provider_id, id, { mapping_id, remote_id_attribute });
    return { ...row, mapping_id, remote_id_attribute };
  });
}

export async function deleteProtocol(identity: Identity, identity_provider_id: string, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findProtocol(tx, identity_provider_id, id)) === undefined) throw noSuchProtocol(identity_provider_id, id);
    await removeProtocol(tx, identity_provider_id, id);
    touch('everybody');
  });
}

export interface ServiceProviderInput { auth_url?: string; sp_url?: string; description?: string | null; enabled?: boolean; relay_state_prefix?: string | null }
const RELAY_STATE_PREFIX = 'ss:mem:';

export async function createServiceProvider(identity: Identity, id: string, input: ServiceProviderInput & { auth_url: string; sp_url: string }): Promise<ServiceProviderRow> {
  const { auth_url, sp_url, description = null } = input;
  const row: ServiceProviderRow = { id, auth_url, sp_url, description, enabled: input.enabled === true ? 1 : 0, relay_state_prefix: input.relay_state_prefix ?? RELAY_STATE_PREFIX };
  await change(identity, async (tx, touch) => {
    await named('service provider', id, () => insertServiceProvider(tx, row));
    touch('catalog');
  });
  return row;
}

export async function updateServiceProvider(identity: Identity, id: string, { enabled, relay_state_prefix, ...values }: ServiceProviderInput): Promise<ServiceProviderRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findServiceProvider(tx, id);
    if (row === undefined) throw noSuch('service provider', id);
    const next: ServiceProviderRow = {
      ...row, ...values,
      ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }),
      ...(relay_state_prefix === undefined ? {} : { relay_state_prefix: relay_state_prefix ?? RELAY_STATE_PREFIX }),
    };
    await writeServiceProvider(tx, id, next);
    touch('catalog');
    return next;
  });
}

export async function deleteServiceProvider(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findServiceProvider(tx, id)) === undefined) throw noSuch('service provider', id);
    await removeServiceProvider(tx, id);
    touch('catalog');
  });
}

/** By which identity providers a user may log in, where an administrator says so beforehand. */
import { badRequest, conflict } from '../../../kernel/fault.ts';
import { deleteFederatedUser, federatedUsersOf, findFederatedUser, insertFederatedUser } from '../store/federated-users.ts';
import { findIdentityProvider, findProtocol } from '../store/federation.ts';
import type { UserRow } from '../store/tables.ts';
import type { Identity, Tx } from './identity.ts';

export interface FederatedIdentity { idp_id: string; protocols: { protocol_id: string; unique_id: string }[] }
export type KnownUser = UserRow & { federated?: FederatedIdentity[] };

/** Takes the place of what was there. Faults: 400 for a provider or protocol that is not, 409 for somebody else's identity. */
export async function writeFederatedIdentities(tx: Tx, user_id: string, identities: readonly FederatedIdentity[]): Promise<void> {
  await deleteFederatedUser(tx, user_id);
  for (const { idp_id, protocols } of identities) {
    if ((await findIdentityProvider(tx, idp_id)) === undefined) throw badRequest('identity.provider-invalid', `Could not find Identity Provider: ${idp_id}`);
    for (const { protocol_id, unique_id } of protocols) {
      if ((await findProtocol(tx, idp_id, protocol_id)) === undefined) throw badRequest('identity.protocol-invalid', `Could not find federated protocol ${protocol_id} for Identity Provider: ${idp_id}`);
      const unique = { identity_provider_id: idp_id, protocol_id, unique_id };
      if ((await findFederatedUser(tx, unique)) !== undefined) throw conflict('identity.federated-user-exists', `Conflict occurred attempting to store federated_user - Duplicate entry found with unique ID ${unique_id}.`);
      await insertFederatedUser(tx, { ...unique, user_id });
    }
  }
}

/** The user with the identities that they have elsewhere, if any. */
export async function withFederatedIdentities(identity: Identity, row: UserRow): Promise<KnownUser> {
  const found = new Map<string, FederatedIdentity>();
  for (const { identity_provider_id: idp_id, protocol_id, unique_id } of await federatedUsersOf(identity.db.read, row.id)) {
    const one = found.get(idp_id) ?? { idp_id, protocols: [] };
    one.protocols.push({ protocol_id, unique_id });
    found.set(idp_id, one);
  }
  return found.size === 0 ? row : { ...row, federated: [...found.values()] };
}

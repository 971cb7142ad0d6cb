/** Trusts: a user lets another act for them on one project. */
import type { Auth } from '../../../kernel/context.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { effectiveRoles, insertRevocation, type Bearer } from '../store/access.ts';
import { findProject } from '../store/projects.ts';
import { findRoleByName } from '../store/roles.ts';
import type { TrustRow } from '../store/tables.ts';
import { deleteTrust as removeTrust, findTrust, insertTrust, rolesOfTrust, trustsMadeFrom } from '../store/trusts.ts';
import { findUser } from '../store/users.ts';
import { bearerOf } from './bearer.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { parseInstant } from './instants.ts';

export interface TrustInput {
  trustor_user_id: string;
  trustee_user_id: string;
  project_id?: string | null;
  impersonation: boolean;
  expires_at?: string | null;
  remaining_uses?: number | null;
  allow_redelegation?: boolean | null;
  redelegation_count?: number | null;
  roles?: { id?: string; name?: string }[];
}

const MAX_REDELEGATION = 3;

export async function createTrust(identity: Identity, auth: Auth, input: TrustInput): Promise<TrustRow> {
  if (auth.user_id !== input.trustor_user_id) throw notAllowed('not-trustor', 'The authenticated user should match the trustor');
  if (typeof input.project_id !== 'string') throw badRequest('identity.trust-without-project', "Invalid input for field 'project_id': a trust is for one project");
  if ((input.roles ?? []).length === 0) throw notAllowed('trust-without-roles', 'At least one role should be specified');
  const expires_at = typeof input.expires_at === 'string' ? parseInstant('expires_at', input.expires_at, identity.clock) : null;
  const project_id = input.project_id;
  return await change(identity, async (tx) => {
    const parent = auth.trust_id === undefined ? undefined : await findTrust(tx, auth.trust_id);
    if ((await findUser(tx, input.trustee_user_id)) === undefined) throw noSuch('user', input.trustee_user_id);
    if ((await findProject(tx, project_id)) === undefined) throw noSuch('project', project_id);
    const roles = await roleIds(tx, input);
    const row: TrustRow = {
      id: hexId(), trustor_user_id: input.trustor_user_id, trustee_user_id: input.trustee_user_id, project_id, impersonation: input.impersonation ? 1 : 0,
      redelegation_count: depthOf(input, parent), redelegated_trust_id: parent?.id ?? null, expires_at: expires_at ?? parent?.expires_at ?? null, remaining_uses: input.remaining_uses ?? null,
    };
    if (parent === undefined) await assertHas(tx, bearerOf(identity, input.trustor_user_id), project_id, roles);
    else await assertWithin(tx, parent, row, roles);
    await insertTrust(tx, row, roles);
    return row;
  });
}

async function roleIds(tx: Tx, input: TrustInput): Promise<string[]> {
  const ids: string[] = [];
  for (const role of input.roles ?? []) {
    const id = role.id ?? (role.name === undefined ? undefined : (await findRoleByName(tx, '', role.name))?.id);
    if (id === undefined) throw noSuch('role', role.name ?? '');
    ids.push(id);
  }
  return [...new Set(ids)];
}

/** How often it may be handed on. */
function depthOf(input: TrustInput, parent: TrustRow | undefined): number {
  const handsOn = input.allow_redelegation === true && input.redelegation_count !== 0;
  if (!handsOn) {
    if (typeof input.remaining_uses === 'number' && input.remaining_uses <= 0) throw badRequest('identity.remaining-uses', 'remaining_uses must be a positive integer or null.');
    return 0;
  }
  if (typeof input.remaining_uses === 'number') throw badRequest('identity.remaining-uses', 'remaining_uses must not be set if redelegation is allowed');
  const most = parent === undefined ? MAX_REDELEGATION : parent.redelegation_count - 1;
  const asked = input.redelegation_count ?? most;
  if (asked > most) throw notAllowed('redelegation-depth', `Requested redelegation depth of ${asked} is greater than allowed ${most}`);
  return Math.max(asked, 0);
}

async function assertHas(tx: Tx, bearer: Bearer, project_id: string, roles: readonly string[]): Promise<void> {
  const own = new Set((await effectiveRoles(tx, bearer, { kind: 'project', id: project_id })).map((role) => role.id));
  const missing = roles.find((id) => !own.has(id));
  if (missing !== undefined) throw noSuch('role', missing);
}

/** What is handed on is never more than what was had. */
async function assertWithin(tx: Tx, parent: TrustRow, row: TrustRow, roles: readonly string[]): Promise<void> {
  if (parent.redelegation_count <= 0) throw notAllowed('redelegation-depth', `Remaining redelegation depth of ${parent.redelegation_count} out of allowed range of [0..${MAX_REDELEGATION}]`);
  if (row.remaining_uses !== null) throw notAllowed('redelegation-uses', `Field "remaining_uses" is set to ${row.remaining_uses} while it must not be set in order to redelegate a trust`);
  if (parent.expires_at !== null && (row.expires_at === null || row.expires_at > parent.expires_at)) throw notAllowed('redelegation-expiry', 'Requested expiration time is more than redelegated trust can provide');
  if (parent.impersonation === 0 && row.impersonation === 1) throw notAllowed('redelegation-impersonation', `Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated trust id: ${parent.id}`);
  if (parent.project_id !== row.project_id) throw notAllowed('redelegation-project', 'A trust is handed on for its own project only');
  const had = new Set((await rolesOfTrust(tx, parent.id)).map((role) => role.id));
  if (roles.some((id) => !had.has(id))) throw notAllowed('redelegation-roles', 'Some of requested roles are not in redelegated trust');
}

/** With all that were made from it. */
export async function deleteTrust(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const trust = await findTrust(tx, id);
    if (trust === undefined) throw noSuch('trust', id);
    const all = [trust];
    for (const each of all) all.push(...(await trustsMadeFrom(tx, each.id)));
    for (const each of all) {
      await insertRevocation(tx, { kind: 'trust', value: each.id, revoked_at: identity.clock.now().getTime() });
      await removeTrust(tx, each.id);
    }
    touch('everybody');
  });
}

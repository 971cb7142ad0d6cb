import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch, notAllowed } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { createTrust, deleteTrust, type TrustInput } from '../model/trusts.ts';
import { findTrust, listTrusts, rolesOfTrust } from '../store/trusts.ts';
import type { RoleRow, TrustRow } from '../store/tables.ts';
import { v3Of } from './links.ts';
import { entryReply, linkTo, listReply, whole, type Shown } from './lists.ts';
import { showRole } from './roles.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf } from './schemas.ts';

const LIST = '/v3/OS-TRUST/trusts';
const ONE = `${LIST}/{trust_id}` as const;
const ROLES = `${ONE}/roles` as const;
const ROLE = `${ROLES}/{role_id}` as const;
const TRUSTOR = 'user_id:%(target.trust.trustor_user_id)s';
const TRUSTEE = 'user_id:%(target.trust.trustee_user_id)s';
const PARTY = `${ADMIN_OR_SYSTEM_READER} or ${TRUSTOR} or ${TRUSTEE}`;

export const trustRules: PolicyRule[] = [
  rule('create_trust', TRUSTOR, ['project'], `POST ${LIST}`, 'Let another user act for oneself.'),
  rule('list_trusts', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${LIST}`, 'List all trusts.'),
  rule('list_trusts_for_trustor', `${ADMIN_OR_SYSTEM_READER} or ${TRUSTOR}`, SYSTEM_OR_PROJECT, `GET ${LIST}?trustor_user_id={trustor_user_id}`, 'List the trusts that a user gave.'),
  rule('list_trusts_for_trustee', `${ADMIN_OR_SYSTEM_READER} or ${TRUSTEE}`, SYSTEM_OR_PROJECT, `GET ${LIST}?trustee_user_id={trustee_user_id}`, 'List the trusts that a user got.'),
  rule('get_trust', PARTY, SYSTEM_OR_PROJECT, `GET ${ONE}`, 'Show a trust.'),
  rule('delete_trust', `${ADMIN} or ${TRUSTOR}`, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'End a trust.'),
  rule('list_roles_for_trust', PARTY, SYSTEM_OR_PROJECT, `GET ${ROLES}`, 'List the roles of a trust.'),
  rule('get_role_for_trust', PARTY, SYSTEM_OR_PROJECT, `GET ${ROLE}`, 'Show a role of a trust.'),
];

const createBody = bodyOf('trust', Type.Object({
  trustor_user_id: Type.String({ maxLength: 64 }), trustee_user_id: Type.String({ maxLength: 64 }), impersonation: Type.Boolean(),
  project_id: Type.Optional(nullable(Type.String({ maxLength: 64 }))), expires_at: Type.Optional(nullable(Type.String())), remaining_uses: Type.Optional(nullable(Type.Integer())),
  allow_redelegation: Type.Optional(nullable(Type.Boolean())), redelegation_count: Type.Optional(nullable(Type.Integer({ minimum: 0 }))),
  roles: Type.Optional(Type.Array(Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }), { maxItems: 100 })),
}));

function showTrust(identity: Identity, call: AnyCall, row: TrustRow): Shown {
  const { redelegated_trust_id, ...rest } = row;
  return {
    ...rest, impersonation: row.impersonation === 1, deleted_at: null, ...(redelegated_trust_id === null ? {} : { redelegated_trust_id }),
    ...linkTo(identity, call, 'OS-TRUST', 'trusts', row.id),
  };
}

async function showWhole(identity: Identity, call: AnyCall, row: TrustRow): Promise<Shown> {
  const roles = await rolesOfTrust(identity.db.read, row.id);
  return {
    ...showTrust(identity, call, row),
    roles: roles.map((role) => showRole(identity, call, role)),
    roles_links: { self: `${v3Of(identity, call)}/OS-TRUST/trusts/${row.id}/roles`, next: null, previous: null },
  };
}

/** Programs with an application credential have no business with trusts. */
function refuseCredentials(call: AnyCall): void {
  if (call.auth.access_token_id !== undefined) throw notAllowed('delegated', 'Cannot manage trusts with a token issued via delegation.');
  if (call.auth.application_credential_id !== undefined) {
    throw notAllowed('restricted', "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing trusts.");
  }
}

export function trustEndpoints(identity: Identity): Endpoint[] {
  const usable = async (id: string): Promise<TrustRow> => {
    const row = await findTrust(identity.db.read, id);
    if (row === undefined || (row.expires_at !== null && row.expires_at <= isoMicros(identity.clock.now()))) throw noSuch('trust', id);
    return row;
  };
  const target = async (call: { params: { trust_id: string } }) => ({ trust: await usable(call.params.trust_id) });
  return [
    endpoint({
      // Which rule it is hangs on the query: any token gets this far.
      id: 'identity:list_trusts', method: 'GET', path: LIST, summary: 'List trusts', policy: 'regular_user', reply: listReply('trusts'), status: 200,
      async handler(call) {
        const trustor_user_id = call.url.searchParams.get('trustor_user_id') ?? undefined;
        const trustee_user_id = trustor_user_id === undefined ? (call.url.searchParams.get('trustee_user_id') ?? undefined) : undefined;
        const suffix = trustor_user_id !== undefined ? '_for_trustor' : trustee_user_id !== undefined ? '_for_trustee' : '';
        call.enforce(`identity:list_trusts${suffix}`, { trust: { trustor_user_id, trustee_user_id } });
        refuseCredentials(call);
        const rows = await listTrusts(identity.db.read, { trustor_user_id, trustee_user_id }, identity.config.list_limit);
        return whole(identity, call, 'trusts', rows.map((row) => showTrust(identity, call, row)));
      },
    }),
    endpoint({
      id: 'identity:create_trust', method: 'POST', path: LIST, summary: 'Create a trust', policy: 'identity:create_trust', body: createBody, reply: entryReply('trust'), status: 201,
      target: (call) => ({ trust: (call.body as { trust?: object } | undefined)?.trust ?? {} }),
      async handler(call) {
        refuseCredentials(call);
        return { trust: await showWhole(identity, call, await createTrust(identity, call.auth, call.body.trust as TrustInput)) };
      },
    }),
    endpoint({
      id: 'identity:get_trust', method: 'GET', path: ONE, summary: 'Show a trust', policy: 'identity:get_trust', target, reply: entryReply('trust'), status: 200,
      async handler(call) {
        refuseCredentials(call);
        return { trust: await showWhole(identity, call, await usable(call.params.trust_id)) };
      },
    }),
    endpoint({
      id: 'identity:delete_trust', method: 'DELETE', path: ONE, summary: 'End a trust', policy: 'identity:delete_trust', target, status: 204,
      async handler(call) {
        refuseCredentials(call);
        await deleteTrust(identity, call.params.trust_id);
        return reply();
      },
    }),
    ...trustRoleEndpoints(identity, usable, target),
  ];
}

type Find = (id: string) => Promise<TrustRow>;
type TrustTarget = (call: { params: { trust_id: string } }) => Promise<Record<string, unknown>>;

function trustRoleEndpoints(identity: Identity, usable: Find, target: TrustTarget): Endpoint[] {
  const role = async (call: { params: { trust_id: string; role_id: string } }): Promise<RoleRow> => {
    const found = (await rolesOfTrust(identity.db.read, (await usable(call.params.trust_id)).id)).find((one) => one.id === call.params.role_id);
    if (found === undefined) throw noSuch('role', call.params.role_id);
    return found;
  };
  return [
    endpoint({
      id: 'identity:list_roles_for_trust', method: 'GET', path: ROLES, summary: 'List the roles of a trust', policy: 'identity:list_roles_for_trust', target, reply: listReply('roles'), status: 200,
      async handler(call) {
        const roles = await rolesOfTrust(identity.db.read, (await usable(call.params.trust_id)).id);
        return whole(identity, call, 'roles', roles.map((one) => showRole(identity, call, one)));
      },
    }),
    endpoint({
      id: 'identity:get_role_for_trust', method: 'GET', path: ROLE, summary: 'Show a role of a trust', policy: 'identity:get_role_for_trust', target, reply: entryReply('role'), status: 200,
      handler: async (call) => ({ role: showRole(identity, call, await role(call)) }),
    }),
  ];
}

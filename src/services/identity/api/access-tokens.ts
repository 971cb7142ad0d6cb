/** The programs that a user lets act for them. */
import { type AnyCall, endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { deleteAccessToken, noAccessToken } from '../model/oauth1.ts';
import { findAccessToken, listAccessTokens } from '../store/oauth1.ts';
import { findRoles } from '../store/roles.ts';
import type { AccessTokenRow } from '../store/tables.ts';
import { collection, entryReply, linkTo, listReply, readList, whole, type Shown } from './lists.ts';
import { assertUndelegated } from './oauth1.ts';
import { showRole } from './roles.ts';
import { ADMIN, rule } from './rules.ts';

const LIST = '/v3/users/{user_id}/OS-OAUTH1/access_tokens';
const ONE = `${LIST}/{access_token_id}` as const;
const ROLES = `${ONE}/roles` as const;
const ROLE = `${ROLES}/{role_id}` as const;

export const accessTokenRules: PolicyRule[] = [
  rule('get_access_token', ADMIN, ['project'], `GET ${ONE}`, 'Show an access token.'),
  rule('list_access_tokens', ADMIN, ['project'], `GET ${LIST}`, 'List the access tokens of a user.'),
  rule('delete_access_token', ADMIN, ['project'], `DELETE ${ONE}`, 'Delete an access token.'),
  rule('list_access_token_roles', ADMIN, ['project'], `GET ${ROLES}`, 'List the roles of an access token.'),
  rule('get_access_token_role', ADMIN, ['project'], `GET ${ROLE}`, 'Show a role of an access token.'),
];

function show(identity: Identity, call: AnyCall, row: AccessTokenRow): Shown {
  const path = ['users', row.user_id, 'OS-OAUTH1', 'access_tokens', row.id];
  const { links } = linkTo(identity, call, ...path);
  return {
    id: row.id, consumer_id: row.consumer_id, project_id: row.project_id, authorizing_user_id: row.user_id, expires_at: row.expires_at,
    links: { ...links, roles: linkTo(identity, call, ...path, 'roles').links.self },
  };
}

export function accessTokenEndpoints(identity: Identity): Endpoint[] {
  const owned = async (call: PathCall): Promise<AccessTokenRow> => {
    const { access_token_id, user_id } = (call).params;
    assertUndelegated(call, 'manage OAuth access tokens');
    const row = await findAccessToken(identity.db.read, access_token_id as string);
    if (row === undefined || row.user_id !== user_id) throw noAccessToken();
    return row;
  };
  const roles = async (call: PathCall): Promise<Shown[]> => {
    const rows = await findRoles(identity.db.read, JSON.parse((await owned(call)).role_ids) as string[]);
    return rows.map((row) => showRole(identity, call, row));
  };
  return [
    endpoint({
      id: 'identity:list_access_tokens', method: 'GET', path: LIST, summary: 'List access tokens', policy: 'identity:list_access_tokens', reply: listReply('access_tokens'), status: 200,
      async handler(call) {
        assertUndelegated(call, 'manage OAuth access tokens');
        const page = await listAccessTokens(identity.db.read, call.params.user_id, readList(identity, call, {}));
        return collection(identity, call, 'access_tokens', page, (row) => show(identity, call, row));
      },
    }),
    endpoint({
      id: 'identity:get_access_token', method: 'GET', path: ONE, summary: 'Show an access token', policy: 'identity:get_access_token', reply: entryReply('access_token'), status: 200,
      handler: async (call) => ({ access_token: show(identity, call, await owned(call)) }),
    }),
    endpoint({
      id: 'identity:delete_access_token', method: 'DELETE', path: ONE, summary: 'Delete an access token', policy: 'identity:delete_access_token', status: 204,
      async handler(call) {
        const row = await owned(call);
        await deleteAccessToken(identity, row.user_id, row.id);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:list_access_token_roles', method: 'GET', path: ROLES, summary: 'List the roles of an access token', policy: 'identity:list_access_token_roles', reply: listReply('roles'), status: 200,
      handler: async (call) => whole(identity, call, 'roles', await roles(call)),
    }),
    endpoint({
      id: 'identity:get_access_token_role', method: 'GET', path: ROLE, summary: 'Show a role of an access token', policy: 'identity:get_access_token_role', reply: entryReply('role'), status: 200,
      async handler(call) {
        const role = (await roles(call)).find(({ id }) => id === call.params.role_id);
        if (role === undefined) throw noSuch('role', call.params.role_id);
        return { role };
      },
    }),
  ];
}

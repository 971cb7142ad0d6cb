import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable, oneOf } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { createApplicationCredential, deleteAccessRule, deleteApplicationCredential, type ApplicationCredentialInput } from '../model/application-credentials.ts';
import type { Identity } from '../model/identity.ts';
import { validateToken } from '../model/tokens.ts';
import {
  findAccessRule, findApplicationCredential, listAccessRules, listApplicationCredentials, rolesOfApplicationCredentials, rulesOfApplicationCredentials,
} from '../store/application-credentials.ts';
import type { AccessRuleRow, ApplicationCredentialRow } from '../store/tables.ts';
import { entryReply, linkTo, listReply, whole, type Shown } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT, SYSTEM_READER } from './rules.ts';
import { bodyOf, idString, nameString, optionalText } from './schemas.ts';

const LIST = '/v3/users/{user_id}/application_credentials';
const ONE = `${LIST}/{application_credential_id}` as const;
const RULES = '/v3/users/{user_id}/access_rules';
const RULE = `${RULES}/{access_rule_id}` as const;
const OWN_RULE = 'user_id:%(target.user.id)s';

export const applicationCredentialRules: PolicyRule[] = [
  rule('get_application_credential', `${ADMIN_OR_SYSTEM_READER} or rule:owner`, SYSTEM_OR_PROJECT, `GET ${ONE}`, 'Show an application credential.'),
  rule('list_application_credentials', `${ADMIN_OR_SYSTEM_READER} or rule:owner`, SYSTEM_OR_PROJECT, `GET ${LIST}`, 'List application credentials.'),
  rule('create_application_credential', 'user_id:%(user_id)s', ['project'], `POST ${LIST}`, 'Create an application credential.'),
  rule('delete_application_credential', `${ADMIN} or rule:owner`, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete an application credential.'),
  rule('get_access_rule', `${SYSTEM_READER} or ${OWN_RULE}`, SYSTEM_OR_PROJECT, `GET ${RULE}`, 'Show an access rule.'),
  rule('list_access_rules', `${SYSTEM_READER} or ${OWN_RULE}`, SYSTEM_OR_PROJECT, `GET ${RULES}`, 'List access rules.'),
  rule('delete_access_rule', `(role:admin and system_scope:all) or ${OWN_RULE}`, SYSTEM_OR_PROJECT, `DELETE ${RULE}`, 'Delete an access rule.'),
];

const method = oneOf('DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT');
const accessRule = Type.Object({
  id: Type.Optional(Type.String({ maxLength: 64 })), service: Type.Optional(idString), path: Type.Optional(Type.String({ maxLength: 225, pattern: '^/' })), method: Type.Optional(method),
}, { additionalProperties: false });
const role = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });
const createBody = bodyOf('application_credential', Type.Object({
  name: nameString(255), description: optionalText, secret: Type.Optional(nullable(Type.String({ maxLength: 4096 }))), expires_at: Type.Optional(nullable(Type.String())),
  unrestricted: Type.Optional(nullable(Type.Boolean())), roles: Type.Optional(Type.Array(role, { maxItems: 100 })), access_rules: Type.Optional(Type.Array(accessRule, { maxItems: 100 })),
}));

async function showCredentials(identity: Identity, call: AnyCall, rows: readonly ApplicationCredentialRow[]): Promise<Shown[]> {
  const ids = rows.map((row) => row.id);
  const roles = Map.groupBy(await rolesOfApplicationCredentials(identity.db.read, ids), (one) => one.application_credential_id);
  const rules = Map.groupBy(await rulesOfApplicationCredentials(identity.db.read, ids), (one) => one.application_credential_id);
  return rows.map((row) => ({
    id: row.id, name: row.name, description: row.description, project_id: row.project_id, unrestricted: row.unrestricted === 1,
    expires_at: row.expires_at === null ? null : row.expires_at.slice(0, -1),
    roles: (roles.get(row.id) ?? []).map(({ id, name, domain_id }) => ({ id, name, domain_id: domain_id === '' ? null : domain_id })),
    ...(row.ruled === 0 ? {} : { access_rules: (rules.get(row.id) ?? []).map(briefRule) }),
    ...linkTo(identity, call, 'users', row.user_id, 'application_credentials', row.id),
  }));
}

function briefRule({ id, path, method: verb, service }: AccessRuleRow): Shown {
  return { id, path, method: verb, service };
}

/** A restricted credential makes no further ones, and neither does who acts by a trust or for a user. */
async function assertMayManage(identity: Identity, call: AnyCall): Promise<void> {
  if (call.auth.trust_id !== undefined || call.auth.access_token_id !== undefined) throw notAllowed('delegated', 'Cannot manage application credentials with a token issued via delegation.');
  const token = await validateToken(identity, call.auth.token);
  if (token?.restricted === true) {
    throw notAllowed('restricted', "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials.");
  }
}

export function applicationCredentialEndpoints(identity: Identity): Endpoint[] {
  const owned = async (call: { params: { user_id: string; application_credential_id: string } }): Promise<ApplicationCredentialRow> => {
    const row = await findApplicationCredential(identity.db.read, call.params.application_credential_id);
    if (row === undefined || row.user_id !== call.params.user_id) throw noSuch('application credential', call.params.application_credential_id);
    return row;
  };
  // Whose it is says the credential, not the path.
  const target = async (call: { params: { user_id: string; application_credential_id: string } }) => ({
    user_id: (await findApplicationCredential(identity.db.read, call.params.application_credential_id))?.user_id ?? call.params.user_id,
  });
  return [
    endpoint({
      id: 'identity:list_application_credentials', method: 'GET', path: LIST, summary: 'List application credentials', policy: 'identity:list_application_credentials', reply: listReply('application_credentials'), status: 200,
      async handler(call) {
        const rows = await listApplicationCredentials(identity.db.read, call.params.user_id, call.url.searchParams.get('name') ?? undefined, identity.config.list_limit);
        return whole(identity, call, 'application_credentials', await showCredentials(identity, call, rows));
      },
    }),
    endpoint({
      id: 'identity:create_application_credential', method: 'POST', path: LIST, summary: 'Create an application credential', policy: 'identity:create_application_credential', body: createBody, reply: entryReply('application_credential'), status: 201,
      async handler(call) {
        await assertMayManage(identity, call);
        const { row, secret } = await createApplicationCredential(identity, call.auth, call.body.application_credential as ApplicationCredentialInput);
        const [shown] = await showCredentials(identity, call, [row]);
        return { application_credential: { ...shown, secret } };
      },
    }),
    endpoint({
      id: 'identity:get_application_credential', method: 'GET', path: ONE, summary: 'Show an application credential', policy: 'identity:get_application_credential', target, reply: entryReply('application_credential'), status: 200,
      handler: async (call) => ({ application_credential: (await showCredentials(identity, call, [await owned(call)]))[0] as Shown }),
    }),
    endpoint({
      id: 'identity:delete_application_credential', method: 'DELETE', path: ONE, summary: 'Delete an application credential', policy: 'identity:delete_application_credential', target, status: 204,
      async handler(call) {
        await assertMayManage(identity, call);
        await deleteApplicationCredential(identity, call.params.user_id, call.params.application_credential_id);
        return reply();
      },
    }),
    ...accessRuleEndpoints(identity),
  ];
}

function accessRuleEndpoints(identity: Identity): Endpoint[] {
  const target = (call: { params: { user_id: string } }) => ({ user: { id: call.params.user_id } });
  const show = (call: PathCall, row: AccessRuleRow) => ({ ...briefRule(row), ...linkTo(identity, call, 'users', row.user_id, 'access_rules', row.id) });
  return [
    endpoint({
      id: 'identity:list_access_rules', method: 'GET', path: RULES, summary: 'List access rules', policy: 'identity:list_access_rules', target, reply: listReply('access_rules'), status: 200,
      async handler(call) {
        const asked = call.url.searchParams;
        const rows = await listAccessRules(identity.db.read, call.params.user_id, identity.config.list_limit);
        const wanted = rows.filter((row) => (['service', 'path', 'method'] as const).every((key) => (asked.get(key) ?? row[key]) === row[key]));
        return whole(identity, call, 'access_rules', wanted.map((row) => show(call, row)));
      },
    }),
    endpoint({
      id: 'identity:get_access_rule', method: 'GET', path: RULE, summary: 'Show an access rule', policy: 'identity:get_access_rule', target, reply: entryReply('access_rule'), status: 200,
      async handler(call) {
        const row = await findAccessRule(identity.db.read, call.params.user_id, call.params.access_rule_id);
        if (row === undefined) throw noSuch('access rule', call.params.access_rule_id);
        return { access_rule: show(call, row) };
      },
    }),
    endpoint({
      id: 'identity:delete_access_rule', method: 'DELETE', path: RULE, summary: 'Delete an access rule', policy: 'identity:delete_access_rule', target, status: 204,
      async handler(call) {
        await assertMayManage(identity, call);
        await deleteAccessRule(identity, call.params.user_id, call.params.access_rule_id);
        return reply();
      },
    }),
  ];
}

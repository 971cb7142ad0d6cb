import { Type } from 'typebox';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { type AnyCall, endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import { bearerOf } from '../model/bearer.ts';
import { withFederatedIdentities, type KnownUser } from '../model/federated-identities.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { isActive } from '../model/password-rules.ts';
import { changePassword, createUser, deleteUser, updateUser, type UserInput } from '../model/users.ts';
import type { Bearer } from '../store/access.ts';
import { tagsOfProjects } from '../store/projects.ts';
import { projectsOfUser } from '../store/user-projects.ts';
import { findUser, listUsers, type FederatedFilter } from '../store/users.ts';
import { crudEndpoints, type Resource } from './crud.ts';
import { linkTo, listReply, whole, type Shown, withinOwnDomain } from './lists.ts';
import { domainOfNew, givenDomain, showProject } from './projects.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule } from './rules.ts';
import { bodyOf, idString, nameString, optionalFlag, optionalText } from './schemas.ts';

const LIST = '/v3/users';
const ONE = '/v3/users/{user_id}';
const MANAGER = `${ADMIN} or (role:manager and domain_id:%(target.user.domain_id)s)`;

export const userRules: PolicyRule[] = [
  rule('get_user', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s`, ANY_SCOPE, `GET ${ONE}`, 'Show a user.'),
  rule('list_users', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s)`, ANY_SCOPE, `GET ${LIST}`, 'List users.'),
  rule('create_user', MANAGER, ANY_SCOPE, `POST ${LIST}`, 'Create a user.'),
  rule('update_user', MANAGER, ANY_SCOPE, `PATCH ${ONE}`, 'Change a user, the password included.'),
  rule('delete_user', MANAGER, ANY_SCOPE, `DELETE ${ONE}`, 'Delete a user.'),
  rule('list_user_projects', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s`, ANY_SCOPE, `GET ${ONE}/projects`, 'List the projects of a user.'),
];

const flag = Type.Optional(nullable(Type.Boolean()));
const options = Type.Optional(Type.Object({
  ignore_change_password_upon_first_use: flag, ignore_password_expiry: flag, ignore_lockout_failure_attempts: flag, ignore_user_inactivity: flag,
  lock_password: flag, multi_factor_auth_enabled: flag,
  multi_factor_auth_rules: Type.Optional(nullable(Type.Array(Type.Array(Type.String(), { minItems: 1, uniqueItems: true }), { uniqueItems: true }))),
}, { additionalProperties: false }));
const federated = Type.Optional(Type.Array(Type.Object({
  idp_id: Type.String(), protocols: Type.Array(Type.Object({ protocol_id: Type.String(), unique_id: Type.String({ maxLength: 255 }) }), { minItems: 1 }),
})));
const secret = Type.Optional(nullable(Type.String({ maxLength: 4096 })));
const fields = {
  domain_id: Type.Optional(idString), enabled: optionalFlag, default_project_id: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  description: optionalText, password: secret, options, federated,
};
const users: Resource = {
  one: 'user', many: 'users', path: LIST, parameter: 'user_id',
  create: bodyOf('user', Type.Object({ ...fields, name: nameString(255) })),
  update: bodyOf('user', Type.Object({ ...fields, name: Type.Optional(nameString(255)) }, { minProperties: 1 })),
};
const passwordBody = bodyOf('user', Type.Object({ original_password: Type.String({ maxLength: 4096 }), password: Type.String({ minLength: 1, maxLength: 4096 }) }));

export function showUser(identity: Identity, call: AnyCall, row: KnownUser): Shown {
  return {
    ...parseFields(row.extra),
    id: row.id, name: row.name, domain_id: row.domain_id, enabled: isActive(identity, row), password_expires_at: row.password_expires_at === null ? null : isoMicrosNoZone(row.password_expires_at), options: parseFields(row.options),
    ...(row.federated === undefined ? {} : { federated: row.federated }),
    ...(row.default_project_id === null ? {} : { default_project_id: row.default_project_id }),
    ...linkTo(identity, call, 'users', row.id),
  };
}

/** What a rule about one user is checked against. */
export async function userTarget(identity: Identity, user_id: string): Promise<Record<string, unknown>> {
  const row = await findUser(identity.db.read, user_id);
  return { user_id, ...(row === undefined ? {} : { user: { id: row.id, domain_id: row.domain_id } }) };
}

export function userEndpoints(identity: Identity): Endpoint[] {
  const target = (call: { params: { user_id: string } }) => userTarget(identity, call.params.user_id);
  const crud = crudEndpoints<KnownUser>(identity, users, {
    filters: { name: 'name', domain_id: 'domain_id', enabled: { flag: 'enabled' }, password_expires_at: { instant: 'password_expires_at' } },
    targets: {
      list: (call) => ({ domain_id: call.auth.domain_id }),
      create: (call) => ({ user: { domain_id: givenDomain(call, 'user') } }),
      one: (call) => userTarget(identity, call.params['user_id'] as string),
    },
    list: (options, call) => listUsers(identity.db.read, withinOwnDomain(call, options), federatedFilter(call)),
    async find(id) {
      const row = await findUser(identity.db.read, id);
      return row === undefined ? undefined : await withFederatedIdentities(identity, row);
    },
    show: (call, row) => showUser(identity, call, row),
    create: (body, call) => createUser(identity, body as UserInput & { name: string }, domainOfNew(call, 'user')),
    update: (id, body) => updateUser(identity, id, body as UserInput),
    remove: (id) => deleteUser(identity, id),
  });
  return [
    ...crud,
    endpoint({
      id: 'identity:change_password', method: 'POST', path: `${ONE}/password`, summary: 'Change the own password', policy: 'public', body: passwordBody, status: 204,
      async handler(call) {
        const { original_password, password } = call.body.user as { original_password: string; password: string };
        await changePassword(identity, call.params.user_id, original_password, password);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:list_user_projects', method: 'GET', path: `${ONE}/projects`, summary: 'List the projects of a user', policy: 'identity:list_user_projects', target, reply: listReply('projects'), status: 200,
      async handler(call) {
        if ((await findUser(identity.db.read, call.params.user_id)) === undefined) throw noSuch('user', call.params.user_id);
        return whole(identity, call, 'projects', await shownProjectsOf(identity, call, bearerOf(identity, call.params.user_id)));
      },
    }),
  ];
}

function federatedFilter({ url }: PathCall): FederatedFilter {
  const asked = { identity_provider_id: url.searchParams.get('idp_id'), protocol_id: url.searchParams.get('protocol_id'), unique_id: url.searchParams.get('unique_id') };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null));
}

/** The projects where a user has any role, filtered by name, domain and being enabled. */
export async function shownProjectsOf(identity: Identity, call: AnyCall, bearer: Bearer): Promise<object[]> {
  const rows = await projectsOfUser(identity.db.read, bearer, identity.config.list_limit);
  const asked = call.url.searchParams;
  const wanted = rows.filter((row) =>
    (asked.get('name') ?? row.name) === row.name && (asked.get('domain_id') ?? row.domain_id) === row.domain_id
    && (!asked.has('enabled') || (row.enabled === 1) !== /^(0|f|false|off|n|no)$/i.test(asked.get('enabled') as string)));
  const tags = await tagsOfProjects(identity.db.read, wanted.map((row) => row.id));
  return wanted.map((row) => showProject(identity, call, row, tags));
}

import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { createRole, deleteRole, updateRole, type RoleInput } from '../model/roles.ts';
import { findRole, listRoles } from '../store/roles.ts';
import type { RoleRow } from '../store/tables.ts';
import { collection, entryReply, exactly, linkTo, listReply, readList, type Shown } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf, idString, immutableOptions, nameString, optionalText } from './schemas.ts';

const LIST = '/v3/roles';
const ONE = '/v3/roles/{role_id}';

export const roleRules: PolicyRule[] = [
  rule('get_role', `${ADMIN_OR_SYSTEM_READER} or (role:manager and rule:domain_managed_target_role)`, ANY_SCOPE, `GET ${ONE}`, 'Show a role.'),
  rule('list_roles', `${ADMIN_OR_SYSTEM_READER} or (role:manager and domain_id:%(target.domain_id)s)`, ANY_SCOPE, `GET ${LIST}`, 'List roles.'),
  rule('create_role', ADMIN, SYSTEM_OR_PROJECT, `POST ${LIST}`, 'Create a role.'),
  rule('update_role', ADMIN, SYSTEM_OR_PROJECT, `PATCH ${ONE}`, 'Change a role.'),
  rule('delete_role', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete a role.'),
  rule('get_domain_role', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${ONE}`, 'Show a role of a domain.'),
  rule('list_domain_roles', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${LIST}?domain_id={domain_id}`, 'List the roles of a domain.'),
  rule('create_domain_role', ADMIN, SYSTEM_OR_PROJECT, `POST ${LIST}`, 'Create a role of a domain.'),
  rule('update_domain_role', ADMIN, SYSTEM_OR_PROJECT, `PATCH ${ONE}`, 'Change a role of a domain.'),
  rule('delete_domain_role', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete a role of a domain.'),
];

const fields = { description: optionalText, domain_id: Type.Optional(nullable(idString)), options: immutableOptions };
const createBody = bodyOf('role', Type.Object({ ...fields, name: nameString(255) }));
const updateBody = bodyOf('role', Type.Object({ ...fields, name: Type.Optional(nameString(255)) }, { minProperties: 1 }));

export function showRole(identity: Identity, call: AnyCall, row: RoleRow): Shown {
  return {
    ...parseFields(row.extra), id: row.id, name: row.name, domain_id: row.domain_id === '' ? null : row.domain_id, description: row.description,
    options: parseFields(row.options), ...linkTo(identity, call, 'roles', row.id),
  };
}

/** What a rule about a role is checked against; `domain_id` null for a global one. */
export async function roleTarget(identity: Identity, role_id: string): Promise<Record<string, unknown>> {
  const row = await findRole(identity.db.read, role_id);
  return row === undefined ? {} : { role: { id: row.id, name: row.name, domain_id: row.domain_id === '' ? null : row.domain_id } };
}

export function roleEndpoints(identity: Identity): Endpoint[] {
  const target = async (call: { params: { role_id: string } }) => {
    const found = await roleTarget(identity, call.params.role_id);
    if (found['role'] === undefined) throw noSuch('role', call.params.role_id);
    return found;
  };
  const one = (row: RoleRow, call: AnyCall) => ({ role: showRole(identity, call, row) });
  // Roles of a domain have rules of their own, which are asked once it is known that this is one.
  const enforceDomain = async (call: PathCall, name: string): Promise<void> => {
    const { role } = (await roleTarget(identity, (call).params['role_id'] as string)) as { role?: { domain_id: string | null } };
    if (typeof role?.domain_id === 'string') (call).enforce(`identity:${name}`, { role });
  };
  return [
    endpoint({
      id: 'identity:list_roles', method: 'GET', path: LIST, summary: 'List roles', policy: 'identity:list_roles', reply: listReply('roles'), status: 200,
      target: (call) => ({ domain_id: call.auth.domain_id }),
      async handler(call) {
        const options = readList(identity, call, { name: 'name', domain_id: 'domain_id' });
        if (call.url.searchParams.has('domain_id')) call.enforce('identity:list_domain_roles');
        else options.hints = [...options.hints, exactly('domain_id', '')];
        return collection(identity, call, 'roles', await listRoles(identity.db.read, options), (row) => showRole(identity, call, row));
      },
    }),
    endpoint({
      id: 'identity:create_role', method: 'POST', path: LIST, summary: 'Create a role', policy: 'identity:create_role', body: createBody, reply: entryReply('role'), status: 201,
      async handler(call) {
        const input = call.body.role as RoleInput & { name: string };
        if (typeof input.domain_id === 'string') call.enforce('identity:create_domain_role');
        return one(await createRole(identity, input), call);
      },
    }),
    endpoint({
      id: 'identity:get_role', method: 'GET', path: ONE, summary: 'Show a role', policy: 'identity:get_role', target, reply: entryReply('role'), status: 200,
      async handler(call) {
        await enforceDomain(call, 'get_domain_role');
        const row = await findRole(identity.db.read, call.params.role_id);
        if (row === undefined) throw noSuch('role', call.params.role_id);
        return one(row, call);
      },
    }),
    endpoint({
      id: 'identity:update_role', method: 'PATCH', path: ONE, summary: 'Change a role', policy: 'identity:update_role', target, body: updateBody, reply: entryReply('role'), status: 200,
      async handler(call) {
        await enforceDomain(call, 'update_domain_role');
        return one(await updateRole(identity, call.params.role_id, call.body.role as RoleInput), call);
      },
    }),
    endpoint({
      id: 'identity:delete_role', method: 'DELETE', path: ONE, summary: 'Delete a role', policy: 'identity:delete_role', target, status: 204,
      async handler(call) {
        await enforceDomain(call, 'delete_domain_role');
        await deleteRole(identity, call.params.role_id);
        return reply();
      },
    }),
  ];
}

import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import { parseFields } from '../model/fields.ts';
import { addMember, createGroup, deleteGroup, removeMember, updateGroup, type GroupInput } from '../model/groups.ts';
import type { Identity } from '../model/identity.ts';
import { findGroup, isMember, listGroups, listGroupsOfUser } from '../store/groups.ts';
import type { GroupRow } from '../store/tables.ts';
import { findUser, listUsersInGroup } from '../store/users.ts';
import { crudEndpoints, type Resource } from './crud.ts';
import { collection, linkTo, listReply, readList, type Shown, withinOwnDomain } from './lists.ts';
import { domainOfNew, givenDomain } from './projects.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule } from './rules.ts';
import { bodyOf, idString, nameString, optionalText } from './schemas.ts';
import { showUser, userTarget } from './users.ts';

const LIST = '/v3/groups';
const ONE = '/v3/groups/{group_id}';
const MEMBERS = `${ONE}/users`;
const MEMBER = `${ONE}/users/{user_id}`;
const READER = `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.group.domain_id)s)`;
const MANAGER = `${ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s)`;
const BOTH = 'domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s';

export const groupRules: PolicyRule[] = [
  rule('get_group', READER, ANY_SCOPE, `GET ${ONE}`, 'Show a group.'),
  rule('list_groups', READER, ANY_SCOPE, `GET ${LIST}`, 'List groups.'),
  rule('list_groups_for_user', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s`, ANY_SCOPE, 'GET /v3/users/{user_id}/groups', 'List the groups of a user.'),
  rule('create_group', MANAGER, ANY_SCOPE, `POST ${LIST}`, 'Create a group.'),
  rule('update_group', MANAGER, ANY_SCOPE, `PATCH ${ONE}`, 'Change a group.'),
  rule('delete_group', MANAGER, ANY_SCOPE, `DELETE ${ONE}`, 'Delete a group.'),
  rule('list_users_in_group', READER, ANY_SCOPE, `GET ${MEMBERS}`, 'List the members of a group.'),
  rule('remove_user_from_group', `${ADMIN} or (role:manager and ${BOTH})`, ANY_SCOPE, `DELETE ${MEMBER}`, 'Take a user out of a group.'),
  rule('check_user_in_group', `${ADMIN_OR_SYSTEM_READER} or (role:reader and ${BOTH})`, ANY_SCOPE, `HEAD ${MEMBER}`, 'Ask whether a user is in a group.'),
  rule('add_user_to_group', `${ADMIN} or (role:manager and ${BOTH})`, ANY_SCOPE, `PUT ${MEMBER}`, 'Put a user into a group.'),
];

const fields = { description: optionalText, domain_id: Type.Optional(idString) };
const groups: Resource = {
  one: 'group', many: 'groups', path: LIST, parameter: 'group_id',
  create: bodyOf('group', Type.Object({ ...fields, name: nameString(64) })),
  update: bodyOf('group', Type.Object({ ...fields, name: Type.Optional(nameString(64)) }, { minProperties: 1 })),
};

export function showGroup(identity: Identity, call: AnyCall, row: GroupRow): Shown {
  return { ...parseFields(row.extra), id: row.id, name: row.name, domain_id: row.domain_id, description: row.description, ...linkTo(identity, call, 'groups', row.id) };
}

async function groupTarget(identity: Identity, group_id: string): Promise<Record<string, unknown>> {
  const row = await findGroup(identity.db.read, group_id);
  return row === undefined ? {} : { group: { id: row.id, domain_id: row.domain_id } };
}

export function groupEndpoints(identity: Identity): Endpoint[] {
  const crud = crudEndpoints<GroupRow>(identity, groups, {
    filters: { name: 'name', domain_id: 'domain_id' },
    targets: {
      list: (call) => ({ group: { domain_id: call.auth.domain_id } }),
      create: (call) => ({ group: { domain_id: givenDomain(call, 'group') } }),
      one: (call) => groupTarget(identity, call.params['group_id'] as string),
      // Here keystone says that there is none before it asks who wants to know.
      async remove(call) {
        const id = call.params['group_id'] as string;
        if ((await findGroup(identity.db.read, id)) === undefined) throw noSuch('group', id);
        return await groupTarget(identity, id);
      },
    },
    list: (options, call) => listGroups(identity.db.read, withinOwnDomain(call, options)),
    find: (id) => findGroup(identity.db.read, id),
    show: (call, row) => showGroup(identity, call, row),
    create: (body, call) => createGroup(identity, body as GroupInput & { name: string }, domainOfNew(call, 'group')),
    update: (id, body) => updateGroup(identity, id, body as GroupInput),
    remove: (id) => deleteGroup(identity, id),
  });
  return [...crud, ...memberEndpoints(identity)];
}

function memberEndpoints(identity: Identity): Endpoint[] {
  const target = async ({ params }: { params: { group_id: string; user_id: string } }) => ({
    ...(await groupTarget(identity, params.group_id)),
    ...(await userTarget(identity, params.user_id)),
  });
  return [
    endpoint({
      id: 'identity:list_groups_for_user', method: 'GET', path: '/v3/users/{user_id}/groups', summary: 'List the groups of a user', policy: 'identity:list_groups_for_user', reply: listReply('groups'), status: 200,
      target: (call) => userTarget(identity, call.params.user_id),
      async handler(call) {
        if ((await findUser(identity.db.read, call.params.user_id)) === undefined) throw noSuch('user', call.params.user_id);
        const page = await listGroupsOfUser(identity.db.read, call.params.user_id, withinOwnDomain(call, readList(identity, call, { name: 'name' })));
        return collection(identity, call, 'groups', page, (row) => showGroup(identity, call, row));
      },
    }),
    endpoint({
      id: 'identity:list_users_in_group', method: 'GET', path: MEMBERS, summary: 'List members', policy: 'identity:list_users_in_group', reply: listReply('users'), status: 200,
      target: (call) => groupTarget(identity, call.params.group_id),
      async handler(call) {
        if ((await findGroup(identity.db.read, call.params.group_id)) === undefined) throw noSuch('group', call.params.group_id);
        const options = withinOwnDomain(call, readList(identity, call, { name: 'name', domain_id: 'domain_id', enabled: { flag: 'enabled' } }));
        return collection(identity, call, 'users', await listUsersInGroup(identity.db.read, call.params.group_id, options), (row) => showUser(identity, call, row));
      },
    }),
    endpoint({
      id: 'identity:add_user_to_group', method: 'PUT', path: MEMBER, summary: 'Add a member', policy: 'identity:add_user_to_group', target, status: 204,
      async handler(call) {
        await addMember(identity, call.params.group_id, call.params.user_id);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:check_user_in_group', method: 'GET', path: MEMBER, summary: 'Ask for a member', policy: 'identity:check_user_in_group', target, status: 204,
      async handler(call) {
        const { user_id, group_id } = call.params;
        if ((await findUser(identity.db.read, user_id)) === undefined) throw noSuch('user', user_id);
        if ((await findGroup(identity.db.read, group_id)) === undefined) throw noSuch('group', group_id);
        if (!(await isMember(identity.db.read, user_id, group_id))) throw noSuch('user', `${user_id} in group ${group_id}`);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:remove_user_from_group', method: 'DELETE', path: MEMBER, summary: 'Remove a member', policy: 'identity:remove_user_from_group', target, status: 204,
      async handler(call) {
        await removeMember(identity, call.params.group_id, call.params.user_id);
        return reply();
      },
    }),
  ];
}

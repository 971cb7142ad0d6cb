/** Roles of users and groups on projects, domains and the system; also those that only what lies below inherits. */
import { endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { assertGrant, createGrant, grantedRoles, revokeGrant } from '../model/grants.ts';
import type { Identity } from '../model/identity.ts';
import type { Grant } from '../store/grants.ts';
import { findGroup } from '../store/groups.ts';
import { findProject } from '../store/projects.ts';
import { findUser } from '../store/users.ts';
import { listReply, whole } from './lists.ts';
import { roleTarget, showRole } from './roles.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';

const within = (role: string): string =>
  ['user', 'group']
    .flatMap((actor) => ['project.domain_id', 'domain.id'].map((target) => `(role:${role} and domain_id:%(target.${actor}.domain_id)s and domain_id:%(target.${target})s)`))
    .join(' or ');
const ROLE_IN_REACH = '(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)';
const WRITER = `${ADMIN} or ((${within('admin')}) and ${ROLE_IN_REACH}) or ((${within('manager')}) and rule:domain_managed_target_role)`;
const EXAMPLE = '/v3/projects/{project_id}/users/{user_id}/roles';

export const grantRules: PolicyRule[] = [
  rule('check_grant', `${ADMIN_OR_SYSTEM_READER} or ((${within('reader')}) and ${ROLE_IN_REACH})`, ANY_SCOPE, `HEAD ${EXAMPLE}/{role_id}`, 'Ask whether somebody has a role on a project or domain.'),
  rule('list_grants', `${ADMIN_OR_SYSTEM_READER} or ${within('reader')}`, ANY_SCOPE, `GET ${EXAMPLE}`, 'List the roles that somebody has on a project or domain.'),
  rule('create_grant', WRITER, ANY_SCOPE, `PUT ${EXAMPLE}/{role_id}`, 'Give a role on a project or domain.'),
  rule('revoke_grant', WRITER, ANY_SCOPE, `DELETE ${EXAMPLE}/{role_id}`, 'Take a role on a project or domain back.'),
  ...(['user', 'group'] as const).flatMap((actor) => {
    const path = `/v3/system/${actor}s/{${actor}_id}/roles`;
    return [
      rule(`list_system_grants_for_${actor}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${path}`, `List the roles of a ${actor} on the system.`),
      rule(`check_system_grant_for_${actor}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `HEAD ${path}/{role_id}`, `Ask whether a ${actor} has a role on the system.`),
      rule(`create_system_grant_for_${actor}`, ADMIN, SYSTEM_OR_PROJECT, `PUT ${path}/{role_id}`, `Give a ${actor} a role on the system.`),
      rule(`revoke_system_grant_for_${actor}`, ADMIN, SYSTEM_OR_PROJECT, `DELETE ${path}/{role_id}`, `Take a role on the system from a ${actor}.`),
    ];
  }),
];

interface Kind {
  actor: 'user' | 'group';
  target: 'project' | 'domain' | 'system';
  inherited: boolean;
}

const KINDS: Kind[] = (['user', 'group'] as const).flatMap((actor): Kind[] => [
  { actor, target: 'project', inherited: false },
  { actor, target: 'domain', inherited: false },
  { actor, target: 'system', inherited: false },
  { actor, target: 'project', inherited: true },
  { actor, target: 'domain', inherited: true },
]);

export function grantEndpoints(identity: Identity): Endpoint[] {
  return KINDS.flatMap((kind) => endpointsOf(identity, kind));
}

function endpointsOf(identity: Identity, kind: Kind): Endpoint[] {
  const { actor, inherited } = kind;
  const place = kind.target === 'system' ? 'system' : `${kind.target}s/{${kind.target}_id}`;
  const list: string = `/v3/${inherited ? 'OS-INHERIT/' : ''}${place}/${actor}s/{${actor}_id}/roles`;
  const tail = inherited ? '/inherited_to_projects' : '';
  const one: string = `${list}/{role_id}${tail}`;
  const name = `${inherited ? 'inherited_' : ''}${kind.target}_grant_for_${actor}`;
  const policy = (verb: string): string =>
    kind.target === 'system' ? `identity:${verb}_system_grant${verb === 'list' ? 's' : ''}_for_${actor}` : `identity:${verb}_grant${verb === 'list' ? 's' : ''}`;
  const target = (call: PathCall) => targetOf(identity, call);
  const row = (call: PathCall) => ({ ...grantOf(kind, call), role_id: (call).params['role_id'] as string });
  const common = { path: one, target, status: 204 } as const;
  return [
    endpoint({
      id: `identity:list_${name}`, method: 'GET', path: list + tail, summary: `List the roles of a ${actor} on a ${kind.target}`, policy: policy('list'), target, reply: listReply('roles'), status: 200,
      async handler(call) {
        const roles = await grantedRoles(identity, grantOf(kind, call));
        return whole(identity, call, 'roles', roles.map((each) => showRole(identity, call, each)));
      },
    }),
    endpoint({
      ...common, id: `identity:create_${name}`, method: 'PUT', summary: `Give a ${actor} a role on a ${kind.target}`, policy: policy('create'),
      async handler(call) {
        await createGrant(identity, row(call));
        return reply();
      },
    }),
    endpoint({
      ...common, id: `identity:check_${name}`, method: 'GET', summary: `Ask whether a ${actor} has a role on a ${kind.target}`, policy: policy('check'),
      async handler(call) {
        await assertGrant(identity, row(call));
        return reply();
      },
    }),
    endpoint({
      ...common, id: `identity:revoke_${name}`, method: 'DELETE', summary: `Take a role on a ${kind.target} from a ${actor}`, policy: policy('revoke'),
      async handler(call) {
        await revokeGrant(identity, row(call));
        return reply();
      },
    }),
  ];
}

function grantOf(kind: Kind, { params }: PathCall): Grant {
  return {
    actor_type: kind.actor,
    actor_id: params[`${kind.actor}_id`] as string,
    target_type: kind.target,
    target_id: kind.target === 'system' ? 'system' : (params[`${kind.target}_id`] as string),
    inherited: kind.inherited ? 1 : 0,
  };
}

/** Who, where and what, as far as they exist. */
async function targetOf(identity: Identity, { params }: PathCall): Promise<Record<string, unknown>> {
  const db = identity.db.read;
  const out: Record<string, unknown> = params['role_id'] === undefined ? {} : await roleTarget(identity, params['role_id']);
  if (params['user_id'] !== undefined) out['user'] = { domain_id: (await findUser(db, params['user_id']))?.domain_id };
  if (params['group_id'] !== undefined) out['group'] = { domain_id: (await findGroup(db, params['group_id']))?.domain_id };
  if (params['project_id'] !== undefined) out['project'] = { domain_id: (await findProject(db, params['project_id']))?.domain_id };
  if (params['domain_id'] !== undefined) out['domain'] = { id: params['domain_id'] };
  return out;
}

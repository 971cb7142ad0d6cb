import type { GroupText, NetworkApi, NetworkCaller, ShownSecurityGroup } from '../client.ts';
import { securityGroupNotFound } from '../faults.ts';
import { isAdmin, ownedBy, projectOf, requireRule, seen } from '../model/callers.ts';
import type { NetworkDeps } from '../deps.ts';
import { createSecurityGroup, deleteSecurityGroup, ensureDefaultGroup, parseGroupName, updateSecurityGroup } from '../model/security-groups.ts';
import { string } from '../model/validate.ts';
import { wholeList } from '../store/list.ts';
import { defaultGroupId, findSecurityGroup, listSecurityGroups } from '../store/security-groups.ts';
import type { SecurityGroupRow } from '../store/tables.ts';
import { shownSecurityGroups } from './server-groups.ts';

type GroupApi = Pick<NetworkApi, 'listSecurityGroups' | 'findSecurityGroups' | 'showSecurityGroup' | 'createSecurityGroup' | 'updateSecurityGroup' | 'deleteSecurityGroup'>;

export function securityGroupApi(env: NetworkDeps): GroupApi {
  return {
    listSecurityGroups: (caller, query) => list(env, caller, query),
    async findSecurityGroups(caller, ids) {
      const groups = await shownSecurityGroups(env, ids);
      return groups.filter((group) => caller.allows('get_security_group', ownedBy(group.project_id)));
    },
    showSecurityGroup: async (caller, id) => shown(env, (await groupSeen(env, caller, id)).id),
    async createSecurityGroup(caller, wanted) {
      const project_id = projectOf(caller);
      requireRule(caller, 'create_security_group', ownedBy(project_id));
      const text = parseText(wanted);
      const { id } = await env.db.transaction((tx) => createSecurityGroup(env, tx, { ...text, project_id, stateful: true }));
      return shown(env, id);
    },
    async updateSecurityGroup(caller, id, change) {
      requireRule(caller, 'update_security_group', ownedBy((await groupSeen(env, caller, id)).project_id));
      const text = parseText(change);
      await env.db.transaction((tx) => updateSecurityGroup(env, tx, id, text));
      return shown(env, id);
    },
    async deleteSecurityGroup(caller, id) {
      requireRule(caller, 'delete_security_group', ownedBy((await groupSeen(env, caller, id)).project_id));
      await env.db.transaction((tx) => deleteSecurityGroup(env, tx, id, isAdmin(caller)));
    },
  };
}

/** A group that the caller may see. Faults: 404. */
export async function groupSeen(env: NetworkDeps, caller: NetworkCaller, id: string): Promise<SecurityGroupRow> {
  return seen(caller, 'get_security_group', await findSecurityGroup(env.db.read, id), (row) => ownedBy(row.project_id), securityGroupNotFound(id));
}

const parseText = ({ name, description }: GroupText): GroupText => ({ name: parseGroupName(name, 'name'), description: string(255)(description, 'description') });

async function shown(env: NetworkDeps, id: string): Promise<ShownSecurityGroup> {
  const [group] = await shownSecurityGroups(env, [id]);
  if (group === undefined) throw securityGroupNotFound(id);
  return group;
}

async function list(env: NetworkDeps, caller: NetworkCaller, query: { all_projects: boolean; offset: number; limit: number }): Promise<ShownSecurityGroup[]> {
  const project_id = projectOf(caller);
  requireRule(caller, 'get_security_group', ownedBy(project_id));
  if ((await defaultGroupId(env.db.read, project_id)) === undefined) await env.db.transaction((tx) => ensureDefaultGroup(env, tx, project_id));
  const { rows } = await listSecurityGroups(env.db.read, query.all_projects && isAdmin(caller) ? undefined : project_id, wholeList([], query.offset + query.limit));
  return shownSecurityGroups(env, rows.slice(query.offset).map(({ id }) => id));
}

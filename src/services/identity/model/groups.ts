import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { noSuch } from '../faults.ts';
import { deleteAssignmentsOfActor } from '../store/grants.ts';
import { deleteGroup as removeGroup, deleteMember, findGroup, insertGroup, insertMember, updateGroup as writeGroup } from '../store/groups.ts';
import { findProject } from '../store/projects.ts';
import type { GroupRow } from '../store/tables.ts';
import { findUser } from '../store/users.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { unique } from './unique.ts';

const KNOWN = ['id', 'name', 'domain_id', 'description', 'links'];

export interface GroupInput extends Fields {
  name?: string;
  domain_id?: string;
  description?: string | null;
}

export async function createGroup(identity: Identity, input: GroupInput & { name: string }, domain_id: string): Promise<GroupRow> {
  const row: GroupRow = { id: hexId(), name: input.name, domain_id, description: input.description ?? '', extra: extraOf(input, KNOWN) };
  return await change(identity, async (tx) => {
    await assertDomain(tx, domain_id);
    return await unique('group', row, () => insertGroup(tx, row));
  });
}

export async function updateGroup(identity: Identity, id: string, input: GroupInput): Promise<GroupRow> {
  return await change(identity, async (tx) => {
    const row = await findGroup(tx, id);
    if (row === undefined) throw noSuch('group', id);
    if (input.domain_id !== undefined && input.domain_id !== row.domain_id) throw badRequest('identity.domain-fixed', 'Cannot change Domain ID');
    const values: Partial<GroupRow> = { extra: extraOf(input, KNOWN, row.extra) };
    if (input.name !== undefined) values.name = input.name;
    if (input.description !== undefined) values.description = input.description ?? '';
    return await unique('group', { ...row, ...values }, () => writeGroup(tx, id, values));
  });
}

export async function deleteGroup(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findGroup(tx, id)) === undefined) throw noSuch('group', id);
    await deleteAssignmentsOfActor(tx, 'group', id);
    await removeGroup(tx, id);
    touch('everybody');
  });
}

export async function addMember(identity: Identity, group_id: string, user_id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findUser(tx, user_id)) === undefined) throw noSuch('user', user_id);
    if ((await findGroup(tx, group_id)) === undefined) throw noSuch('group', group_id);
    await insertMember(tx, user_id, group_id);
    touch({ user_id });
  });
}

export async function removeMember(identity: Identity, group_id: string, user_id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if (!(await deleteMember(tx, user_id, group_id))) throw noSuch('user', `${user_id} in group ${group_id}`);
    touch({ user_id });
  });
}

/** Faults: 404 unless it is a domain. */
export async function assertDomain(tx: Tx, id: string): Promise<void> {
  const row = await findProject(tx, id);
  if (row === undefined || row.is_domain === 0) throw noSuch('domain', id);
}

import { hexId } from '../../../kernel/ids.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { deleteInference, deleteRole as removeRole, findRole, insertInference, insertRole, isImplied, updateRole as writeRole, type Inference } from '../store/roles.ts';
import type { RoleRow } from '../store/tables.ts';
import { assertMutable, extraOf, mergeOptions, type Fields } from './fields.ts';
import { assertDomain } from './groups.ts';
import { change, type Identity } from './identity.ts';
import { unique } from './unique.ts';

const KNOWN = ['id', 'name', 'domain_id', 'description', 'options', 'links'];

export interface RoleInput extends Fields {
  name?: string;
  domain_id?: string | null;
  description?: string | null;
  options?: Fields;
}

export async function createRole(identity: Identity, input: RoleInput & { name: string }): Promise<RoleRow> {
  const row: RoleRow = {
    id: hexId(), name: input.name, domain_id: input.domain_id ?? '', description: input.description ?? null,
    options: mergeOptions('{}', input.options), extra: extraOf(input, KNOWN),
  };
  return await change(identity, async (tx) => {
    if (row.domain_id !== '') await assertDomain(tx, row.domain_id);
    return await unique('role', row, () => insertRole(tx, row));
  });
}

export async function updateRole(identity: Identity, id: string, input: RoleInput): Promise<RoleRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findRole(tx, id);
    if (row === undefined) throw noSuch('role', id);
    assertMutable('role', row, input);
    if (input.domain_id !== undefined && (input.domain_id ?? '') !== row.domain_id) throw notAllowed('domain-fixed', 'Cannot change Domain ID');
    const values: Partial<RoleRow> = { extra: extraOf(input, KNOWN, row.extra), options: mergeOptions(row.options, input.options) };
    if (input.name !== undefined) values.name = input.name;
    if (input.description !== undefined) values.description = input.description;
    if (values.name !== undefined) touch('everybody');
    return await unique('role', { ...row, ...values }, () => writeRole(tx, id, values));
  });
}

export async function deleteRole(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const row = await findRole(tx, id);
    if (row === undefined) throw noSuch('role', id);
    assertMutable('role', row);
    await removeRole(tx, id);
    touch('everybody');
  });
}

/** Faults: 404; 403 for admin, which nothing implies, and for a global role that would imply one of a domain. */
export async function implyRole(identity: Identity, inference: Inference): Promise<void> {
  await change(identity, async (tx, touch) => {
    const prior = await findRole(tx, inference.prior_role_id);
    if (prior === undefined) throw noSuch('role', inference.prior_role_id);
    const implied = await findRole(tx, inference.implied_role_id);
    if (implied === undefined) throw noSuch('role', inference.implied_role_id);
    if (implied.name === 'admin' && implied.domain_id === '') throw notAllowed('role-not-implied', `${implied.id} cannot be an implied roles`);
    if (prior.domain_id === '' && implied.domain_id !== '') throw notAllowed('role-not-implied', 'Global role cannot imply a domain-specific role');
    await insertInference(tx, inference);
    touch('everybody');
  });
}

export async function stopImplying(identity: Identity, inference: Inference): Promise<void> {
  await change(identity, async (tx, touch) => {
    if (!(await deleteInference(tx, inference))) throw noInference(inference);
    touch('everybody');
  });
}

export async function assertImplied(identity: Identity, inference: Inference): Promise<void> {
  if (!(await isImplied(identity.db.read, inference))) throw noInference(inference);
}

function noInference({ prior_role_id, implied_role_id }: Inference) {
  return noSuch('implied role', `${prior_role_id} implies ${implied_role_id}`);
}

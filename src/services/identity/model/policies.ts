/** Policy documents that administrators keep here for services of their own. */
import { hexId } from '../../../kernel/ids.ts';
import { noSuch } from '../faults.ts';
import { deletePolicy as removePolicy, findPolicy, insertPolicy, updatePolicy as writePolicy } from '../store/policies.ts';
import type { PolicyRow } from '../store/tables.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity } from './identity.ts';

export interface PolicyInput extends Fields { type?: string; blob?: string }
const KNOWN = ['id', 'type', 'blob', 'links'];

export async function createPolicy(identity: Identity, input: PolicyInput & { type: string; blob: string }): Promise<PolicyRow> {
  const row: PolicyRow = { id: hexId(), type: input.type, blob: input.blob, extra: extraOf(input, KNOWN) };
  await change(identity, async (tx) => await insertPolicy(tx, row));
  return row;
}

export async function updatePolicy(identity: Identity, id: string, input: PolicyInput): Promise<PolicyRow> {
  return await change(identity, async (tx) => {
    const row = await findPolicy(tx, id);
    if (row === undefined) throw noSuch('policy', id);
    const values: PolicyRow = { ...row, type: input.type ?? row.type, blob: input.blob ?? row.blob, extra: extraOf(input, KNOWN, row.extra) };
    await writePolicy(tx, id, values);
    return values;
  });
}

export async function deletePolicy(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx) => {
    if ((await findPolicy(tx, id)) === undefined) throw noSuch('policy', id);
    await removePolicy(tx, id);
  });
}

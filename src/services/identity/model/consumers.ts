/** Programs that users may let act for them by OAuth 1.0a. */
import { hexId } from '../../../kernel/ids.ts';
import { notFound, type Fault } from '../../../kernel/fault.ts';
import { invalidField } from '../faults.ts';
import { deleteConsumer as removeConsumer, findConsumer, insertConsumer, updateConsumer as writeConsumer } from '../store/oauth1.ts';
import type { ConsumerRow } from '../store/tables.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity } from './identity.ts';
import { seal } from './secrets.ts';

export interface ConsumerInput extends Fields {
  description?: string | null;
}

const KNOWN = ['id', 'description', 'secret', 'links'];

/** @returns the row with its secret readable: it is not shown again. */
export async function createConsumer(identity: Identity, input: ConsumerInput): Promise<ConsumerRow> {
  const secret = hexId();
  const sealed = seal(identity, secret);
  const row: ConsumerRow = { id: hexId(), secret: sealed.text, key_hash: sealed.key_hash, description: input.description ?? null, extra: extraOf(input, KNOWN) };
  await change(identity, async (tx) => await insertConsumer(tx, row));
  return { ...row, secret };
}

export async function updateConsumer(identity: Identity, id: string, input: ConsumerInput): Promise<ConsumerRow> {
  if (input['secret'] !== undefined) throw invalidField('consumer', 'secret can not be changed');
  return await change(identity, async (tx) => {
    const before = await findConsumer(tx, id);
    if (before === undefined) throw noConsumer();
    const row: ConsumerRow = { ...before, description: input.description === undefined ? before.description : input.description, extra: extraOf(input, KNOWN, before.extra) };
    await writeConsumer(tx, row);
    return row;
  });
}

/** All that was given to it goes with it. */
export async function deleteConsumer(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findConsumer(tx, id)) === undefined) throw noConsumer();
    await removeConsumer(tx, id);
    touch('everybody');
  });
}

export function noConsumer(): Fault {
  return notFound('identity.consumer-not-found', 'Consumer not found');
}

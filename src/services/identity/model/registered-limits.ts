/** What every project may use of a resource, unless something else is set for it. */
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { notFound, type Fault } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { missing, notAllowed, taken } from '../faults.ts';
import { deleteRegisteredLimit as removeRegisteredLimit, findRegisteredLimit, insertRegisteredLimit, isReferred, updateRegisteredLimit as writeRegisteredLimit } from '../store/limits.ts';
import { findRegion, findService } from '../store/services.ts';
import type { RegisteredLimitRow } from '../store/tables.ts';
import { change, type Identity, type Tx } from './identity.ts';

export interface RegisteredLimitInput {
  service_id: string;
  region_id?: string | null;
  resource_name: string;
  default_limit: number;
  description?: string | null;
}

/** All of them or none. Faults: 400 for a service or region that is not there, 409. */
export async function createRegisteredLimits(identity: Identity, inputs: readonly RegisteredLimitInput[]): Promise<RegisteredLimitRow[]> {
  return await change(identity, async (tx, touch) => {
    const rows: RegisteredLimitRow[] = [];
    for (const input of inputs) {
      await assertPlace(tx, input, 'registered_limit');
      const row: RegisteredLimitRow = {
        id: hexId(), service_id: input.service_id, region_id: input.region_id ?? '', resource_name: input.resource_name, default_limit: input.default_limit, description: input.description ?? null,
      };
      await onlyOne('registered_limit', () => insertRegisteredLimit(tx, row));
      rows.push(row);
    }
    touch('limits');
    return rows;
  });
}

export async function updateRegisteredLimit(identity: Identity, id: string, input: Partial<RegisteredLimitInput>): Promise<RegisteredLimitRow> {
  return await change(identity, async (tx, touch) => {
    await assertPlace(tx, input, 'registered_limit');
    const before = await unreferred(tx, id);
    const row: RegisteredLimitRow = { ...before, ...input, region_id: input.region_id === undefined ? before.region_id : (input.region_id ?? '') };
    await onlyOne('registered_limit', () => writeRegisteredLimit(tx, row));
    touch('limits');
    return row;
  });
}

export async function deleteRegisteredLimit(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    await unreferred(tx, id);
    await removeRegisteredLimit(tx, id);
    touch('limits');
  });
}

async function unreferred(tx: Tx, id: string): Promise<RegisteredLimitRow> {
  const row = await findRegisteredLimit(tx, id);
  if (row === undefined) throw noRegisteredLimit(id);
  if (await isReferred(tx, id)) throw notAllowed('registered-limit-in-use', `Unable to update or delete registered limit ${id} because there are project limits associated with it.`);
  return row;
}

export function noRegisteredLimit(id: string): Fault {
  return notFound('identity.registered-limit-not-found', `Could not find registered limit for ${id}.`);
}

export async function assertPlace(tx: Tx, { service_id, region_id }: { service_id?: string; region_id?: string | null }, target: string): Promise<void> {
  if (service_id !== undefined && (await findService(tx, service_id)) === undefined) throw missing('service_id', target);
  if (typeof region_id === 'string' && (await findRegion(tx, region_id)) === undefined) throw missing('region_id', target);
}

export async function onlyOne(kind: 'registered_limit' | 'limit', write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (isUniqueViolation(error)) throw taken(kind, 'Duplicate entry');
    throw error;
  }
}

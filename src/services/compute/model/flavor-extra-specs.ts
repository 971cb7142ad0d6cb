import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { type Fault, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { updateFlavor } from '../store/flavors.ts';
import type { ComputeTables } from '../store/tables.ts';
import { extraSpecsOf, flavorNotFound } from './flavors.ts';

type Specs = Record<string, string>;

export function extraSpecNotFound(flavor_id: string, key: string): Fault {
  return notFound('compute.extra-spec-not-found', `Flavor ${flavor_id} has no extra specs with key ${key}.`);
}

/** Changes the extra specs of a flavor; what `change` throws leaves them as they were. @throws Fault 404 */
async function changeSpecs(deps: Pick<ComputeDeps, 'db' | 'clock'>, flavor_id: string, change: (specs: Specs) => Specs): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    // Written first, so that two who change the same flavor come one after the other.
    const row = await updateFlavor(tx, flavor_id, { updated_at });
    if (row === undefined) throw flavorNotFound(flavor_id);
    await updateFlavor(tx, flavor_id, { extra_specs: JSON.stringify(change(extraSpecsOf(row))) });
  });
}

/** Adds to those that are there. @throws Fault 404 */
export async function setExtraSpecs(deps: Pick<ComputeDeps, 'db' | 'clock'>, flavor_id: string, added: Specs): Promise<void> {
  await changeSpecs(deps, flavor_id, (specs) => ({ ...specs, ...added }));
}

/** @throws Fault 404 */
export async function removeExtraSpec(deps: Pick<ComputeDeps, 'db' | 'clock'>, flavor_id: string, key: string): Promise<void> {
  await changeSpecs(deps, flavor_id, (specs) => {
    if (!Object.hasOwn(specs, key)) throw extraSpecNotFound(flavor_id, key);
    const { [key]: _gone, ...rest } = specs;
    return rest;
  });
}

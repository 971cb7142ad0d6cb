import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { accessOf, deleteAccess, findFlavor, insertAccess } from '../store/flavors.ts';
import type { ComputeTables, FlavorAccessRow } from '../store/tables.ts';
import { flavorNotFound } from './flavors.ts';

/** @throws Fault 400 in nova's words when identity knows no such project. */
export async function requireProject(deps: Pick<ComputeDeps, 'identity'>, id: string): Promise<void> {
  if ((await deps.identity.findProject(id)) === undefined) throw badRequest('compute.project-invalid', `Project ID ${id} is not a valid project.`);
}

/**
 * @param publicToo up to 2.6 access to a public flavor could be granted.
 * @returns who has access now. Faults: 404 flavor, 409 already granted.
 */
export async function grantFlavor(deps: Pick<ComputeDeps, 'db'>, row: FlavorAccessRow, publicToo: boolean): Promise<FlavorAccessRow[]> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const flavor = await findFlavor(tx, row.flavor_id);
    if (flavor === undefined) throw flavorNotFound(row.flavor_id);
    if (flavor.is_public === 1 && !publicToo) throw conflict('compute.flavor-public', 'Can not add access to a public flavor.');
    if (!(await insertAccess(tx, row))) {
      throw conflict('compute.flavor-access-exists', `Flavor access already exists for flavor ${row.flavor_id} and project ${row.project_id} combination.`);
    }
    return await accessOf(tx, row.flavor_id);
  });
}

/** @returns who has access now. Faults: 404 flavor or access. */
export async function revokeFlavor(deps: Pick<ComputeDeps, 'db'>, row: FlavorAccessRow): Promise<FlavorAccessRow[]> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if ((await findFlavor(tx, row.flavor_id)) === undefined) throw flavorNotFound(row.flavor_id);
    if (!(await deleteAccess(tx, row))) {
      throw notFound('compute.flavor-access-not-found', `Flavor access not found for ${row.flavor_id} / ${row.project_id} combination.`);
    }
    return await accessOf(tx, row.flavor_id);
  });
}

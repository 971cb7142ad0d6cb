import type { Auth } from '../../../kernel/context.ts';
import { as } from '../../../kernel/db/database.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findFlavor, hasFlavorAccess } from '../store/flavors.ts';
import type { ComputeTables, FlavorRow } from '../store/tables.ts';

/** A flavor as servers embed it. */
export interface FlavorSnapshot {
  id: string;
  name: string;
  vcpus: number;
  ram_mb: number;
  disk_gb: number;
  ephemeral_gb: number;
  swap_mb: number;
  extra_specs: Record<string, string>;
}

export async function getFlavor(deps: Pick<ComputeDeps, 'db'>, id: string): Promise<FlavorRow | undefined> {
  return await findFlavor(as<ComputeTables>(deps.db).read, id);
}

/** A flavor for a new server. @throws Fault 400 when there is none or the project may not use it. */
export async function flavorForServer(deps: ComputeDeps, auth: Auth, id: string, isAdmin: boolean): Promise<FlavorSnapshot> {
  const row = await getFlavor(deps, id);
  const usable = row !== undefined && (row.is_public === 1 || isAdmin || (await hasFlavorAccess(as<ComputeTables>(deps.db).read, id, auth.project_id ?? '')));
  if (row === undefined || !usable) throw badRequest('compute.flavor-not-found', `Flavor ${id} could not be found.`, { type: 'FlavorNotFound' });
  const { name, vcpus, ram_mb, disk_gb, ephemeral_gb, swap_mb } = row;
  return { id: row.id, name, vcpus, ram_mb, disk_gb, ephemeral_gb, swap_mb, extra_specs: JSON.parse(row.extra_specs) as Record<string, string> };
}

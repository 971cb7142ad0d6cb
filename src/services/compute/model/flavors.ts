import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Auth } from '../../../kernel/context.ts';
import { as, asTransaction } from '../../../kernel/db/database.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, type Fault, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ComputeDeps } from '../deps.ts';
import { deleteFlavor, findFlavor, hasFlavorAccess, insertFlavor, updateFlavor } from '../store/flavors.ts';
import type { ComputeTables, FlavorRow } from '../store/tables.ts';

/** A flavor as servers embed it. */
export interface FlavorSnapshot extends Pick<FlavorRow, 'id' | 'name' | 'vcpus' | 'ram_mb' | 'disk_gb' | 'ephemeral_gb' | 'swap_mb'> {
  extra_specs: Record<string, string>;
}

export type Viewer = { project_id: string | undefined; is_admin: boolean };

type Deps = Pick<ComputeDeps, 'db'>;

export async function getFlavor(deps: Deps, id: string): Promise<FlavorRow | undefined> {
  return await findFlavor(as<ComputeTables>(deps.db).read, id);
}

export const extraSpecsOf = (row: FlavorRow): Record<string, string> => JSON.parse(row.extra_specs) as Record<string, string>;

export const flavorNotFound = (id: string): Fault => notFound('compute.flavor-not-found', `Flavor ${id} could not be found.`, { type: 'FlavorNotFound' });

/** Whether somebody may know of a flavor: private ones are for administrators and the projects that were given access. */
export async function maySeeFlavor(db: Kysely<ComputeTables>, row: FlavorRow, viewer: Viewer): Promise<boolean> {
  if (row.is_public === 1 || viewer.is_admin) return true;
  return viewer.project_id !== undefined && (await hasFlavorAccess(db, row.id, viewer.project_id));
}

/** @throws Fault 404, also for what the viewer may not know of. */
export async function requireFlavor(deps: Deps, id: string, viewer: Viewer): Promise<FlavorRow> {
  const db = as<ComputeTables>(deps.db).read;
  const row = await findFlavor(db, id);
  if (row === undefined || !(await maySeeFlavor(db, row, viewer))) throw flavorNotFound(id);
  return row;
}

/** A flavor for a new server. @throws Fault 400 when there is none or the project may not use it. */
export async function flavorForServer(deps: ComputeDeps, auth: Auth, id: string, isAdmin: boolean): Promise<FlavorSnapshot> {
  const row = await getFlavor(deps, id);
  const viewer = { project_id: auth.project_id, is_admin: isAdmin };
  const usable = row !== undefined && (await maySeeFlavor(as<ComputeTables>(deps.db).read, row, viewer));
  if (!usable) throw badRequest('compute.flavor-not-found', `Flavor ${id} could not be found.`, { type: 'FlavorNotFound' });
  const { name, vcpus, ram_mb, disk_gb, ephemeral_gb, swap_mb } = row;
  return { id: row.id, name, vcpus, ram_mb, disk_gb, ephemeral_gb, swap_mb, extra_specs: extraSpecsOf(row) };
}

export interface NewFlavor {
  /** Left out: a new UUID. */
  id?: string | undefined;
  name: string;
  vcpus: number;
  ram_mb: number;
  disk_gb: number;
  ephemeral_gb?: number;
  swap_mb?: number;
  rxtx_factor?: number;
  is_public?: boolean;
  description?: string | null;
  extra_specs?: Record<string, string>;
}

/** @throws Fault 409 when its id or name is taken. */
export async function createFlavor(deps: Pick<ComputeDeps, 'db' | 'clock'>, flavor: NewFlavor): Promise<FlavorRow> {
  const row: FlavorRow = {
    id: flavor.id ?? uuid(),
    name: flavor.name,
    vcpus: flavor.vcpus,
    ram_mb: flavor.ram_mb,
    disk_gb: flavor.disk_gb,
    ephemeral_gb: flavor.ephemeral_gb ?? 0,
    swap_mb: flavor.swap_mb ?? 0,
    rxtx_factor: flavor.rxtx_factor ?? 1,
    is_public: (flavor.is_public ?? true) ? 1 : 0,
    disabled: 0,
    description: flavor.description ?? null,
    extra_specs: JSON.stringify(flavor.extra_specs ?? {}),
    created_at: isoMicros(deps.clock.now()),
    updated_at: null,
  };
  try {
    await deps.db.transaction((tx) => insertFlavor(asTransaction<ComputeTables>(tx), row));
  } catch (error) {
    if (isUniqueViolation(error, 'name')) throw conflict('compute.flavor-exists', `Flavor with name ${row.name} already exists.`);
    if (isUniqueViolation(error)) throw conflict('compute.flavor-exists', `Flavor with ID ${row.id} already exists.`);
    throw error;
  }
  return row;
}

/** @throws Fault 404 */
export async function describeFlavor(deps: Pick<ComputeDeps, 'db' | 'clock'>, id: string, description: string | null): Promise<FlavorRow> {
  const change = { description, updated_at: isoMicros(deps.clock.now()) };
  const row = await deps.db.transaction((tx) => updateFlavor(asTransaction<ComputeTables>(tx), id, change));
  if (row === undefined) throw flavorNotFound(id);
  return row;
}

/** Servers keep a copy of their flavor, so that one in use may go. @throws Fault 404 */
export async function removeFlavor(deps: Deps, id: string): Promise<void> {
  const found = await deps.db.transaction((tx) => deleteFlavor(asTransaction<ComputeTables>(tx), id));
  if (!found) throw flavorNotFound(id);
}

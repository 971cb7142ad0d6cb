import { renderCatalog, type CatalogFor, type CatalogService } from './catalog.ts';
import { endpointsOfProject } from './endpoint-filters.ts';
import type { Identity } from './identity.ts';

/** The catalog that a caller is shown: all of it, or what their project was given to see. */
export async function catalogOf(identity: Identity, caller: CatalogFor): Promise<CatalogService[]> {
  const { rows, filtered } = await identity.catalog.read(identity.db.read);
  if (!filtered || caller.project_id === undefined) return renderCatalog(rows, caller);
  const seen = new Set((await endpointsOfProject(identity, caller.project_id)).map((row) => row.id));
  return renderCatalog(seen.size === 0 ? rows : rows.filter((row) => seen.has(row.id)), caller);
}

import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { noSuch } from '../faults.ts';
import {
  associate, deleteEndpointGroup as removeGroup, dissociate, endpointsMatching, findEndpointGroup, groupsOfProject, insertEndpointGroup, isAssociated,
  namedEndpointsOfProject, updateEndpointGroup as writeGroup, type EndpointFilters, type Way,
} from '../store/endpoint-filters.ts';
import { findProject } from '../store/projects.ts';
import { findEndpoint } from '../store/services.ts';
import type { EndpointGroupRow, EndpointRow } from '../store/tables.ts';
import { change, type Identity } from './identity.ts';

export interface EndpointGroupInput {
  name?: string;
  description?: string | null;
  filters?: EndpointFilters;
}

export async function createEndpointGroup(identity: Identity, input: EndpointGroupInput & { name: string; filters: EndpointFilters }): Promise<EndpointGroupRow> {
  if (Object.keys(input.filters).length === 0) throw badRequest('identity.filters-empty', 'filters field is required and cannot be empty');
  const row: EndpointGroupRow = { id: hexId(), name: input.name, description: input.description ?? null, filters: JSON.stringify(input.filters) };
  await change(identity, async (tx) => await insertEndpointGroup(tx, row));
  return row;
}

export async function updateEndpointGroup(identity: Identity, id: string, input: EndpointGroupInput): Promise<EndpointGroupRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findEndpointGroup(tx, id);
    if (row === undefined) throw noSuch('endpoint group', id);
    const values: EndpointGroupRow = {
      id, name: input.name ?? row.name, description: input.description === undefined ? row.description : input.description,
      filters: input.filters === undefined ? row.filters : JSON.stringify({ ...(JSON.parse(row.filters) as object), ...input.filters }),
    };
    await writeGroup(tx, id, values);
    touch('catalog');
    return values;
  });
}

export async function deleteEndpointGroup(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findEndpointGroup(tx, id)) === undefined) throw noSuch('endpoint group', id);
    await removeGroup(tx, id);
    touch('catalog');
  });
}

/** Faults: 404 unless both are there. */
async function assertPair(identity: Identity, way: Way, project_id: string, id: string): Promise<void> {
  const db = identity.db.read;
  if ((await findProject(db, project_id)) === undefined) throw noSuch('project', project_id);
  const found = way === 'endpoint' ? await findEndpoint(db, id) : await findEndpointGroup(db, id);
  if (found === undefined) throw noSuch(way.replace('_', ' '), id);
}

export async function addToProject(identity: Identity, way: Way, project_id: string, id: string): Promise<void> {
  await assertPair(identity, way, project_id, id);
  await change(identity, async (tx, touch) => {
    await associate(tx, way, project_id, id);
    touch('catalog');
  });
}

export async function removeFromProject(identity: Identity, way: Way, project_id: string, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if (!(await dissociate(tx, way, project_id, id))) throw noSuch(way.replace('_', ' '), `${id} in project ${project_id}`);
    touch('catalog');
  });
}

export async function assertAssociated(identity: Identity, way: Way, project_id: string, id: string): Promise<void> {
  await assertPair(identity, way, project_id, id);
  if (!(await isAssociated(identity.db.read, way, project_id, id))) throw noSuch(way.replace('_', ' '), `${id} in project ${project_id}`);
}

/** What a project sees; none: nothing was said of it, so it sees all. */
export async function endpointsOfProject(identity: Identity, project_id: string): Promise<EndpointRow[]> {
  const db = identity.db.read;
  const found = new Map((await namedEndpointsOfProject(db, project_id)).map((row) => [row.id, row]));
  for (const group of await groupsOfProject(db, project_id)) {
    for (const row of await endpointsMatching(db, JSON.parse(group.filters) as EndpointFilters, identity.config.list_limit)) found.set(row.id, row);
  }
  return [...found.values()];
}

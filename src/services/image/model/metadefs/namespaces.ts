import { isoMicros } from '../../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../../kernel/db/errors.ts';
import type { Fault } from '../../../../kernel/fault.ts';
import { uuid } from '../../../../kernel/ids.ts';
import type { ImageDeps } from '../../deps.ts';
import { allItems, deleteItems, insertItems } from '../../store/metadefs/items.ts';
import { deleteNamespace as deleteRow, findNamespace, insertNamespace, listNamespaces as listRows, lockNamespace, type NamespaceListing, updateNamespace as updateRow } from '../../store/metadefs/namespaces.ts';
import { addResourceTypes, insertAssociations, listAssociations } from '../../store/metadefs/resource-types.ts';
import type { MetadefAssociationRow, MetadefItemRow, MetadefKind, MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import type { ImageTables } from '../../store/tables.ts';
import type { Eyes } from '../images.ts';
import type { Transaction } from 'kysely';
import type { NamespaceBody } from './bodies.ts';
import { associationTaken, isProtected, itemTaken, metadefMarkerNotFound, namespaceNotFound, namespaceTaken } from './faults.ts';
import { checkNumber, itemRow, objectContent, schemaOf } from './items.ts';
import { checkResourceTypes } from './resource-types.ts';
import { type NamespaceContents, namespaceView, associationView, type View } from './views.ts';

/** The namespace if these eyes may see it. Faults: 404. */
export async function getNamespace(deps: ImageDeps, eyes: Eyes, namespace: string): Promise<MetadefNamespaceRow> {
  const row = await findNamespace(deps.db.read, namespace);
  if (!row || !(eyes.is_admin || row.visibility === 'public' || row.owner === eyes.project_id)) throw namespaceNotFound(namespace);
  return row;
}

export async function contentsOf(deps: ImageDeps, row: MetadefNamespaceRow): Promise<NamespaceContents> {
  const [items, associations] = await Promise.all([allItems(deps.db.read, row.id), listAssociations(deps.db.read, [row.id])]);
  return { items, associations };
}

/** Faults: 404 for a marker that is not there. */
export async function listNamespaces(deps: ImageDeps, listing: NamespaceListing): Promise<{ namespaces: View[]; more: boolean; last: string | undefined }> {
  const found = await listRows(deps.db.read, listing);
  if (!found) throw metadefMarkerNotFound(listing.marker ?? '');
  const associations = Map.groupBy(await listAssociations(deps.db.read, found.rows.map(({ id }) => id)), ({ namespace_id }) => namespace_id);
  const namespaces = found.rows.map((row) => {
    const own = associations.get(row.id)?.map(associationView);
    return { ...namespaceView(row), ...(own ? { resource_type_associations: own } : {}) };
  });
  return { namespaces, more: found.more, last: found.rows.at(-1)?.namespace };
}

/** With whatever the body says is in it, or nothing at all. Faults: 409 name taken, in it a name twice; 413 too much of one kind. */
export async function createNamespace(deps: ImageDeps, project_id: string, body: NamespaceBody): Promise<MetadefNamespaceRow> {
  const { row, items, associations } = planNamespace(project_id, body, isoMicros(deps.clock.now()));
  checkTwice(body, items, associations);
  try {
    await deps.db.transaction(async (tx) => {
      await checkResourceTypes(tx, associations);
      await writeNamespace(tx, row, items, associations);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? namespaceTaken(row.namespace) : error;
  }
  return row;
}

export interface PlannedNamespace {
  row: MetadefNamespaceRow;
  items: MetadefItemRow[];
  associations: MetadefAssociationRow[];
}

export function planNamespace(owner: string, body: NamespaceBody, now: string): PlannedNamespace {
  const { namespace, display_name = null, description = null, visibility = 'private' } = body;
  const times = { created_at: now, updated_at: now };
  const row: MetadefNamespaceRow = { id: uuid(), namespace, display_name, description, visibility, protected: body.protected === true ? 1 : 0, owner: body.owner ?? owner, ...times };
  const items = [
    ...(body.objects ?? []).map((object) => itemRow(row.id, 'object', object.name, objectContent(object), now)),
    ...Object.entries(body.properties ?? {}).map(([name, property]) => itemRow(row.id, 'property', name, schemaOf(property), now)),
    ...(body.tags ?? []).map(({ name }) => itemRow(row.id, 'tag', name, {}, now)),
  ];
  const associations = (body.resource_type_associations ?? []).map(({ name, prefix = null, properties_target = null }) => ({ namespace_id: row.id, resource_type: name, prefix, properties_target, ...times }));
  return { row, items, associations };
}

export async function writeNamespace(tx: Transaction<ImageTables>, row: MetadefNamespaceRow, items: readonly MetadefItemRow[], associations: readonly MetadefAssociationRow[]): Promise<void> {
  await insertNamespace(tx, row);
  await insertItems(tx, items);
  await addResourceTypes(tx, associations.map(({ resource_type, created_at, updated_at }) => ({ name: resource_type, created_at, updated_at })));
  await insertAssociations(tx, associations);
}

function checkTwice({ namespace }: NamespaceBody, items: readonly MetadefItemRow[], associations: readonly MetadefAssociationRow[]): void {
  for (const kind of ['object', 'property', 'tag'] as const) {
    const names = items.filter((item) => item.kind === kind).map(({ name }) => name);
    checkNumber(kind, names.length);
    refuseTwice(names, (name) => itemTaken(kind, name, namespace));
  }
  refuseTwice(associations.map(({ resource_type }) => resource_type), (name) => associationTaken(name, namespace));
}

export function refuseTwice(names: readonly string[], fault: (name: string) => Fault): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw fault(name);
    seen.add(name);
  }
}

/** What the body leaves out becomes what it is on a new namespace. Faults: 404, 409 the new name is taken. */
export async function updateNamespace(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, project_id: string, body: NamespaceBody): Promise<MetadefNamespaceRow> {
  try {
    return await deps.db.transaction(async (tx) => {
      const old = await lockNamespace(tx, id);
      if (!old) throw namespaceNotFound(namespace);
      const { row } = planNamespace(project_id, body, isoMicros(deps.clock.now()));
      const next = { ...row, id, created_at: old.created_at };
      await updateRow(tx, next);
      return next;
    });
  } catch (error) {
    throw isUniqueViolation(error) ? namespaceTaken(body.namespace) : error;
  }
}

/** The namespace and all in it. Faults: 403 protected. */
export async function deleteNamespace(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockNamespace(tx, id);
    if (!row) throw namespaceNotFound(namespace);
    if (row.protected === 1) throw isProtected('namespace', namespace);
    await deleteRow(tx, id);
  });
}

/** Everything of one kind in it. Faults: 403 protected. */
export async function emptyNamespace(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, kind: MetadefKind): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockNamespace(tx, id);
    if (!row) throw namespaceNotFound(namespace);
    if (row.protected === 1) throw isProtected('namespace', namespace);
    await deleteItems(tx, id, kind);
  });
}

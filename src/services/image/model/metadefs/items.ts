/** Objects, properties and tags of a namespace. */
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../../kernel/db/errors.ts';
import { uuid } from '../../../../kernel/ids.ts';
import type { ImageDeps } from '../../deps.ts';
import { countItems, deleteItem as deleteRow, deleteItems, findItem, insertItems, type ItemListing, listItems as listRows, updateItem as updateRow } from '../../store/metadefs/items.ts';
import { lockNamespace } from '../../store/metadefs/namespaces.ts';
import type { MetadefItemRow, MetadefKind, MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import type { ImageTables } from '../../store/tables.ts';
import type { ObjectBody, PropertyBody } from './bodies.ts';
import { isProtected, itemNotFound, itemTaken, metadefMarkerNotFound, namespaceNotFound, tooMany } from './faults.ts';

/** Of one kind in one namespace: what is listed at once stays bounded. */
export const MAX_ITEMS = 1000;
const PLURAL = { object: 'objects', property: 'properties', tag: 'tags' };

export function checkNumber(kind: MetadefKind, count: number): void {
  if (count > MAX_ITEMS) throw tooMany(`${PLURAL[kind]} in a namespace`, MAX_ITEMS);
}

export function itemRow(namespace_id: string, kind: MetadefKind, name: string, content: object, now: string): MetadefItemRow {
  return { id: uuid(), namespace_id, kind, name, content: JSON.stringify(content), created_at: now, updated_at: now };
}

export function objectContent({ description, required, properties }: ObjectBody): object {
  return { description, required, properties };
}

/** Of a property its schema alone: the name has its own place. */
export function schemaOf(body: Pick<PropertyBody, 'name'>): object {
  const { name: _, ...schema } = body;
  return schema;
}

/** Faults: 404. */
export async function getItem(deps: ImageDeps, namespace: MetadefNamespaceRow, kind: MetadefKind, name: string): Promise<MetadefItemRow> {
  const row = await findItem(deps.db.read, namespace.id, kind, name);
  if (!row) throw itemNotFound(kind, name, namespace.namespace);
  return row;
}

/** Faults: 404 for a marker that is not there. */
export async function listItems(deps: ImageDeps, namespace: MetadefNamespaceRow, kind: MetadefKind, listing?: Partial<ItemListing>): Promise<MetadefItemRow[]> {
  const rows = await listRows(deps.db.read, namespace.id, kind, { sort: [{ column: 'name', direction: 'asc' }], marker: undefined, limit: MAX_ITEMS, ...listing });
  if (!rows) throw metadefMarkerNotFound(listing?.marker ?? '');
  return rows;
}

/** In a transaction that keeps the namespace as it is. Faults: 404 when it is gone, 409 for a name that is taken. */
async function within<T>(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, taken: { kind: MetadefKind; name: string }, work: (tx: Transaction<ImageTables>, row: MetadefNamespaceRow, now: string) => Promise<T>): Promise<T> {
  try {
    return await deps.db.transaction(async (tx) => {
      const row = await lockNamespace(tx, id);
      if (!row) throw namespaceNotFound(namespace);
      return work(tx, row, isoMicros(deps.clock.now()));
    });
  } catch (error) {
    throw isUniqueViolation(error) ? itemTaken(taken.kind, taken.name, namespace) : error;
  }
}

/** Faults: 404, 409 name taken, 413 too many. */
export async function addItem(deps: ImageDeps, namespace: MetadefNamespaceRow, kind: MetadefKind, name: string, content: object): Promise<MetadefItemRow> {
  return within(deps, namespace, { kind, name }, async (tx, { id }, now) => {
    checkNumber(kind, (await countItems(tx, id, kind)) + 1);
    const row = itemRow(id, kind, name, content, now);
    await insertItems(tx, [row]);
    return row;
  });
}

/** All tags of a namespace anew, or more beside them; no names: nothing changes. Faults: 404, 409 name taken, 413 too many. */
export async function setTags(deps: ImageDeps, namespace: MetadefNamespaceRow, names: readonly string[], append: boolean): Promise<void> {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw itemTaken('tag', twice, namespace.namespace);
  if (names.length === 0) return;
  await within(deps, namespace, { kind: 'tag', name: names.join(', ').slice(0, 200) }, async (tx, { id }, now) => {
    if (!append) await deleteItems(tx, id, 'tag');
    checkNumber('tag', names.length + (append ? await countItems(tx, id, 'tag') : 0));
    await insertItems(tx, names.map((name) => itemRow(id, 'tag', name, {}, now)));
  });
}

/** Another name and content. Faults: 404, 409 the new name is taken. */
export async function replaceItem(deps: ImageDeps, namespace: MetadefNamespaceRow, old: MetadefItemRow, name: string, content: object): Promise<MetadefItemRow> {
  return within(deps, namespace, { kind: old.kind, name }, async (tx, _row, now) => {
    const next = { ...old, name, content: JSON.stringify(content), updated_at: now };
    await updateRow(tx, next);
    return next;
  });
}

/** Faults: 403 in a protected namespace, 404. */
export async function deleteItem(deps: ImageDeps, namespace: MetadefNamespaceRow, kind: MetadefKind, name: string): Promise<void> {
  await within(deps, namespace, { kind, name }, async (tx, { id, protected: kept }) => {
    const row = await findItem(tx, id, kind, name);
    if (!row) throw itemNotFound(kind, name, namespace.namespace);
    if (kept === 1) throw isProtected(kind, name);
    await deleteRow(tx, row.id);
  });
}

/** To which kinds of resources the namespaces apply. */
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../../kernel/db/errors.ts';
import { notFound } from '../../../../kernel/fault.ts';
import type { ImageDeps } from '../../deps.ts';
import { lockNamespace } from '../../store/metadefs/namespaces.ts';
import { addResourceTypes, deleteAssociation, findAssociation, insertAssociations, listResourceTypes as listRows } from '../../store/metadefs/resource-types.ts';
import type { MetadefAssociationRow, MetadefNamespaceRow, MetadefResourceTypeRow } from '../../store/metadefs/tables.ts';
import type { ImageTables } from '../../store/tables.ts';
import type { AssociationBody } from './bodies.ts';
import { associationNotFound, associationTaken, isProtected, namespaceNotFound, tooMany } from './faults.ts';

/** In the whole cloud: they are listed at once. */
const MAX_RESOURCE_TYPES = 1000;

export async function listResourceTypes(deps: ImageDeps): Promise<MetadefResourceTypeRow[]> {
  return listRows(deps.db.read, MAX_RESOURCE_TYPES);
}

/** Faults: 413 when these would make too many resource types. */
export async function checkResourceTypes(tx: Transaction<ImageTables>, associations: readonly MetadefAssociationRow[]): Promise<void> {
  const known = new Set((await listRows(tx, MAX_RESOURCE_TYPES)).map(({ name }) => name));
  for (const { resource_type } of associations) known.add(resource_type);
  if (known.size > MAX_RESOURCE_TYPES) throw tooMany('resource types', MAX_RESOURCE_TYPES);
}

/** A resource type that nobody named before is there from now on. Faults: 404, 409 associated already, 413 too many. */
export async function addAssociation(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, body: AssociationBody): Promise<MetadefAssociationRow> {
  const now = isoMicros(deps.clock.now());
  const times = { created_at: now, updated_at: now };
  const { name, prefix = null, properties_target = null } = body;
  const row: MetadefAssociationRow = { namespace_id: id, resource_type: name, prefix, properties_target, ...times };
  try {
    await deps.db.transaction(async (tx) => {
      if (!(await lockNamespace(tx, id))) throw namespaceNotFound(namespace);
      await checkResourceTypes(tx, [row]);
      await addResourceTypes(tx, [{ name, ...times }]);
      await insertAssociations(tx, [row]);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? associationTaken(name, namespace) : error;
  }
  return row;
}

/** Faults: 403 in a protected namespace, 404. */
export async function removeAssociation(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, resource_type: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockNamespace(tx, id);
    if (!row) throw namespaceNotFound(namespace);
    if (!(await findAssociation(tx, id, resource_type))) throw associationNotFound(resource_type);
    if (row.protected === 1) throw isProtected('resource-type-association', resource_type);
    await deleteAssociation(tx, id, resource_type);
  });
}

/** What is put before the names of properties on this resource type; often nothing. Faults: 404 when not associated. */
export async function findPrefix(deps: ImageDeps, { id, namespace }: MetadefNamespaceRow, resource_type: string): Promise<string> {
  const row = await findAssociation(deps.db.read, id, resource_type);
  if (!row) throw notFound('image.metadef-association-not-found', `The metadata definition resource-type association of resource-type=${resource_type} to namespace=${namespace}, was not found.`);
  return row.prefix ?? '';
}

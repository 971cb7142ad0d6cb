/** Metadata definitions as glance shows them: what is not set is left out. */
import { isoSeconds } from '../../../../kernel/clock.ts';
import type { MetadefAssociationRow, MetadefItemRow, MetadefNamespaceRow, MetadefResourceTypeRow } from '../../store/metadefs/tables.ts';
import type { ObjectBody, PropertyBody } from './bodies.ts';

export type View = Record<string, unknown>;

const NAMESPACES = '/v2/metadefs/namespaces';

/** Without nulls. */
const given = (fields: View): View => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
const times = (row: { created_at: string; updated_at: string }): View => ({ created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at) });

export const namespaceHref = (namespace: string): string => `${NAMESPACES}/${namespace}`;

export function namespaceView(row: MetadefNamespaceRow): View {
  const { namespace, display_name, description, visibility, owner } = row;
  return {
    ...given({ namespace, display_name, description, visibility, protected: row.protected === 1, owner }),
    ...times(row), self: namespaceHref(namespace), schema: '/v2/schemas/metadefs/namespace',
  };
}

/** @param prefix put before the names of its properties */
export function objectView(namespace: string, row: MetadefItemRow, prefix = ''): View {
  const { description, required = [], properties = {} } = JSON.parse(row.content) as Omit<ObjectBody, 'name'>;
  return {
    ...given({ name: row.name, description, required: required.map((name) => prefix + name), properties: prefixed(properties, prefix) }),
    ...times(row), self: `${namespaceHref(namespace)}/objects/${row.name}`, schema: '/v2/schemas/metadefs/object',
  };
}

function prefixed(properties: Record<string, unknown>, prefix: string): Record<string, unknown> {
  return prefix === '' ? properties : Object.fromEntries(Object.entries(properties).map(([name, value]) => [prefix + name, value]));
}

const schemaOf = (row: MetadefItemRow): PropertyBody => JSON.parse(row.content) as PropertyBody;

export const propertyView = (row: MetadefItemRow): View => ({ ...schemaOf(row), name: row.name });

export function propertiesView(rows: readonly MetadefItemRow[], prefix = ''): Record<string, PropertyBody> {
  return Object.fromEntries(rows.map((row) => [prefix + row.name, schemaOf(row)]));
}

export const tagView = (row: MetadefItemRow): View => ({ name: row.name, ...times(row) });

export function associationView(row: MetadefAssociationRow): View {
  const { resource_type, prefix, properties_target } = row;
  return { ...given({ name: resource_type, prefix, properties_target }), ...times(row) };
}

export const resourceTypeView = (row: MetadefResourceTypeRow): View => ({ name: row.name, ...times(row) });

export interface NamespaceContents {
  items: readonly MetadefItemRow[];
  associations: readonly MetadefAssociationRow[];
}

/** With everything in it. @param resource_type whose prefix the properties are shown with */
export function wholeNamespaceView(row: MetadefNamespaceRow, { items, associations }: NamespaceContents, resource_type?: string): View {
  const prefix = associations.find((one) => one.resource_type === resource_type)?.prefix ?? '';
  const of = (kind: string): MetadefItemRow[] => items.filter((item) => item.kind === kind);
  const filled = {
    resource_type_associations: associations.map(associationView),
    objects: of('object').map((item) => objectView(row.namespace, item, prefix)),
    properties: propertiesView(of('property'), prefix),
    tags: of('tag').map(({ name }) => ({ name })),
  };
  return { ...namespaceView(row), ...Object.fromEntries(Object.entries(filled).filter(([, value]) => Object.keys(value).length > 0)) };
}

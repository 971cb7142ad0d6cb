/** Rows of the metadata definitions catalogue. */
export interface MetadefNamespaceRow {
  id: string;
  /** The name, as in `OS::Compute::Quota`. */
  namespace: string;
  display_name: string | null;
  description: string | null;
  visibility: 'public' | 'private';
  protected: number;
  owner: string;
  created_at: string;
  updated_at: string;
}

export type MetadefKind = 'object' | 'property' | 'tag';

/** Something defined in a namespace. */
export interface MetadefItemRow {
  id: string;
  namespace_id: string;
  kind: MetadefKind;
  name: string;
  /** JSON: of a property its schema, of an object `{ description, required, properties }`, of a tag `{}`. */
  content: string;
  created_at: string;
  updated_at: string;
}

/** To what a namespace applies. */
export interface MetadefAssociationRow {
  namespace_id: string;
  resource_type: string;
  prefix: string | null;
  properties_target: string | null;
  created_at: string;
  updated_at: string;
}

export interface MetadefResourceTypeRow {
  name: string;
  created_at: string;
  updated_at: string;
}

export interface MetadefTables {
  image_metadef_namespaces: MetadefNamespaceRow;
  image_metadef_items: MetadefItemRow;
  image_metadef_resource_types: MetadefResourceTypeRow;
  image_metadef_associations: MetadefAssociationRow;
  /** The well-known namespaces that were put in once, whatever became of them. */
  image_metadef_loaded: { namespace: string; loaded_at: string };
}

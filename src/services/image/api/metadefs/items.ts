/** What objects, properties and tags of a namespace have in common: to be defined, shown, defined anew and deleted. */
import type { Static, TSchema } from 'typebox';
import { endpoint, type Endpoint, type PathCall } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { addItem, deleteItem, getItem, replaceItem } from '../../model/metadefs/items.ts';
import type { MetadefItemRow, MetadefKind, MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';

export interface ItemShape<Body extends TSchema> {
  kind: MetadefKind;
  /** `objects`: in paths and ids. */
  plural: string;
  /** `an object` */
  words: string;
  /** The rule that is asked before one is deleted. */
  deletion: string;
  body: Body;
  reply: TSchema;
  /** Fields that clients may not write. */
  read_only: readonly string[];
  content(body: Static<Body>): object;
  view(namespace: MetadefNamespaceRow, row: MetadefItemRow): object;
}

/** `/v2/metadefs/namespaces/{namespace}/objects` */
export const pathOf = (plural: string): string => `/v2/metadefs/namespaces/{namespace}/${plural}`;

const nameIn = (call: PathCall): string => call.params['name'] as string;

export function createItem<Body extends TSchema>(deps: ImageDeps, { kind, plural, words, body, reply, read_only, content, view }: ItemShape<Body>): Endpoint {
  return endpoint({
    id: `metadef-${plural}:create`, method: 'POST', path: pathOf(plural), summary: `Define ${words}`, policy: `add_metadef_${kind}`, status: 201,
    target: namespaceTarget(deps), body, reply,
    async handler(call) {
      const named = call.body as Static<Body> & { name: string };
      refuseReadOnly(named, ...read_only);
      const namespace = await namespaceOf(deps, call);
      return view(namespace, await addItem(deps, namespace, kind, named.name, content(named))) as never;
    },
  });
}

/** @param name which one is meant, if not the one that the path names */
export function showItem(deps: ImageDeps, { kind, plural, words, reply, view }: Pick<ItemShape<TSchema>, 'kind' | 'plural' | 'words' | 'reply' | 'view'>, query?: TSchema, name?: (call: PathCall, namespace: MetadefNamespaceRow) => Promise<string>): Endpoint {
  return endpoint({
    id: `metadef-${plural}:show`, method: 'GET', path: `${pathOf(plural)}/{name}` as string, summary: `Show ${words}`, policy: `get_metadef_${kind}`, status: 200,
    target: namespaceTarget(deps), reply, ...(query === undefined ? {} : { query }),
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      return view(namespace, await getItem(deps, namespace, kind, (await name?.(call, namespace)) ?? nameIn(call))) as never;
    },
  });
}

export function updateItem<Body extends TSchema>(deps: ImageDeps, { kind, plural, words, body, reply, read_only, content, view }: ItemShape<Body>): Endpoint {
  return endpoint({
    id: `metadef-${plural}:update`, method: 'PUT', path: `${pathOf(plural)}/{name}` as string, summary: `Define ${words} anew`, policy: `modify_metadef_${kind}`, status: 200,
    target: namespaceTarget(deps), body, reply,
    async handler(call) {
      const named = call.body as Static<Body> & { name: string };
      refuseReadOnly(named, ...read_only);
      const namespace = await namespaceOf(deps, call);
      const old = await getItem(deps, namespace, kind, nameIn(call));
      return view(namespace, await replaceItem(deps, namespace, old, named.name, content(named))) as never;
    },
  });
}

export function removeItem(deps: ImageDeps, { kind, plural, words, deletion }: Pick<ItemShape<TSchema>, 'kind' | 'plural' | 'words' | 'deletion'>): Endpoint {
  return endpoint({
    id: `metadef-${plural}:delete`, method: 'DELETE', path: `${pathOf(plural)}/{name}` as string, summary: `Delete ${words}`, policy: deletion, status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await deleteItem(deps, await namespaceOf(deps, call), kind, nameIn(call));
      return undefined;
    },
  });
}

import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { type NamespaceBody, namespaceBody } from '../../model/metadefs/bodies.ts';
import { contentsOf, createNamespace, deleteNamespace, emptyNamespace, listNamespaces, updateNamespace } from '../../model/metadefs/namespaces.ts';
import { namespaceHref, namespaceView, wholeNamespaceView } from '../../model/metadefs/views.ts';
import type { NamespaceListing } from '../../store/metadefs/namespaces.ts';
import type { MetadefKind } from '../../store/metadefs/tables.ts';
import { eyesOf } from '../eyes.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';
import { listingQuery, readSort, readVisibility } from './listing.ts';

const NAMESPACES = '/v2/metadefs/namespaces';
const ONE = `${NAMESPACES}/{namespace}`;
const SORT_KEYS = ['namespace', 'display_name', 'visibility', 'protected', 'owner', 'created_at', 'updated_at'];
/** A namespace may come with all its definitions. */
const BODY_LIMIT = 1 << 20;

const namespaceReply = Type.Object({
  namespace: Type.String(), visibility: Type.String(), protected: Type.Boolean(), owner: Type.String(),
  created_at: Type.String(), updated_at: Type.String(), self: Type.String(), schema: Type.String(),
});

export const metadefNamespaceEndpoints = (deps: ImageDeps): Endpoint[] => [
  listEndpoint(deps), createEndpoint(deps), showEndpoint(deps), updateEndpoint(deps), deleteEndpoint(deps),
  emptyEndpoint(deps, 'object', 'objects'), emptyEndpoint(deps, 'property', 'properties'), emptyEndpoint(deps, 'tag', 'tags'),
];

function listEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'metadef-namespaces:list', method: 'GET', path: NAMESPACES, summary: 'List namespaces of metadata definitions', policy: 'get_metadef_namespaces', status: 200,
    query: Type.Object({ ...listingQuery, visibility: Type.Optional(Type.String()), resource_types: Type.Optional(Type.String()) }),
    reply: Type.Object({ namespaces: Type.Array(namespaceReply), first: Type.String(), next: Type.Optional(Type.String()), schema: Type.String() }),
    async handler(call) {
      call.enforce('list_metadef_resource_types');
      const { namespaces, more, last } = await listNamespaces(deps, readListing(deps, call));
      return {
        namespaces: namespaces as never[], first: NAMESPACES + withMarker(call, undefined), schema: '/v2/schemas/metadefs/namespaces',
        ...(more && last !== undefined ? { next: NAMESPACES + withMarker(call, last) } : {}),
      };
    },
  });
}

interface ListingCall extends Pick<Call<any, any, any>, 'auth' | 'allows'> {
  query: { limit?: number; marker?: string; sort_key?: string; sort_dir?: string; visibility?: string; resource_types?: string };
}

function readListing({ config }: ImageDeps, call: ListingCall): NamespaceListing {
  const { query } = call;
  const { is_admin, project_id = '' } = eyesOf(call);
  return {
    project_id: is_admin ? undefined : project_id,
    visibility: readVisibility(query.visibility),
    resource_types: query.resource_types?.split(','),
    sort: readSort(query, SORT_KEYS),
    marker: query.marker,
    limit: Math.min(query.limit ?? config.page_size, config.max_page_size),
  };
}

function withMarker(call: Pick<Call, 'url'>, marker: string | undefined): string {
  const query = new URLSearchParams(call.url.search);
  query.delete('marker');
  if (marker !== undefined) query.set('marker', marker);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

const NESTED = [
  ['resource_type_associations', 'add_metadef_resource_type_association'], ['objects', 'add_metadef_object'],
  ['properties', 'add_metadef_property'], ['tags', 'add_metadef_tag'],
] as const;

function createEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'metadef-namespaces:create', method: 'POST', path: NAMESPACES, summary: 'Create a namespace, with definitions in it', policy: 'add_metadef_namespace', status: 201,
    body: namespaceBody, bodyLimit: BODY_LIMIT, reply: namespaceReply,
    async handler(call) {
      const body = call.body as NamespaceBody;
      refuseReadOnly(body, 'self', 'schema', 'created_at', 'updated_at');
      for (const [field, rule] of NESTED) if (Object.keys(body[field] ?? {}).length > 0) call.enforce(rule);
      const row = await createNamespace(deps, call.auth.project_id ?? '', body);
      const { resource_type_associations, objects, properties, tags } = body;
      const view = { ...namespaceView(row), resource_type_associations, objects, properties, tags };
      return reply(view as never, { headers: { location: `${call.base}${namespaceHref(row.namespace)}` } });
    },
  });
}

function showEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'metadef-namespaces:show', method: 'GET', path: ONE, summary: 'Show a namespace and what it defines', policy: 'get_metadef_namespace', status: 200,
    target: namespaceTarget(deps), query: Type.Object({ resource_type: Type.Optional(Type.String()) }), reply: namespaceReply,
    async handler(call) {
      const row = await namespaceOf(deps, call);
      const target = { project_id: row.owner, visibility: row.visibility };
      for (const rule of ['list_metadef_resource_types', 'get_metadef_objects', 'get_metadef_properties', 'get_metadef_tags']) call.enforce(rule, target);
      return wholeNamespaceView(row, await contentsOf(deps, row), call.query.resource_type) as never;
    },
  });
}

function updateEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'metadef-namespaces:update', method: 'PUT', path: ONE, summary: 'Change a namespace', policy: 'modify_metadef_namespace', status: 200,
    target: namespaceTarget(deps), body: namespaceBody, bodyLimit: BODY_LIMIT, reply: namespaceReply,
    async handler(call) {
      refuseReadOnly(call.body, 'self', 'schema', 'created_at', 'updated_at');
      return namespaceView(await updateNamespace(deps, await namespaceOf(deps, call), call.auth.project_id ?? '', call.body as NamespaceBody)) as never;
    },
  });
}

function deleteEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'metadef-namespaces:delete', method: 'DELETE', path: ONE, summary: 'Delete a namespace and what it defines', policy: 'delete_metadef_namespace', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await deleteNamespace(deps, await namespaceOf(deps, call));
      return undefined;
    },
  });
}

function emptyEndpoint(deps: ImageDeps, kind: MetadefKind, plural: string): Endpoint {
  return endpoint({
    id: `metadef-namespaces:delete-${plural}`, method: 'DELETE', path: `${ONE}/${plural}`, summary: `Delete all ${plural} of a namespace`, policy: 'delete_metadef_namespace', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      const row = await namespaceOf(deps, call);
      if (kind === 'tag') call.enforce('delete_metadef_tags', { project_id: row.owner, visibility: row.visibility });
      await emptyNamespace(deps, row, kind);
      return undefined;
    },
  });
}

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { associationBody } from '../../model/metadefs/bodies.ts';
import { addAssociation, listResourceTypes, removeAssociation } from '../../model/metadefs/resource-types.ts';
import { associationView, resourceTypeView } from '../../model/metadefs/views.ts';
import { listAssociations } from '../../store/metadefs/resource-types.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';

const ALL = '/v2/metadefs/namespaces/{namespace}/resource_types';

const typeReply = Type.Object({ name: Type.String(), created_at: Type.String(), updated_at: Type.String() });

export const metadefResourceTypeEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-resource-types:list', method: 'GET', path: '/v2/metadefs/resource_types', summary: 'List resource types', policy: 'list_metadef_resource_types', status: 200,
    reply: Type.Object({ resource_types: Type.Array(typeReply) }),
    handler: async () => ({ resource_types: (await listResourceTypes(deps)).map(resourceTypeView) as never[] }),
  }),
  endpoint({
    id: 'metadef-associations:list', method: 'GET', path: ALL, summary: 'List the resource types of a namespace', policy: 'list_metadef_resource_types', status: 200,
    target: namespaceTarget(deps), reply: Type.Object({ resource_type_associations: Type.Array(typeReply) }),
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      const shown = call.allows('get_metadef_resource_type', { project_id: namespace.owner, visibility: namespace.visibility });
      const rows = shown ? await listAssociations(deps.db.read, [namespace.id]) : [];
      return { resource_type_associations: rows.map(associationView) as never[] };
    },
  }),
  endpoint({
    id: 'metadef-associations:create', method: 'POST', path: ALL, summary: 'Associate a namespace with a resource type', policy: 'add_metadef_resource_type_association', status: 201,
    target: namespaceTarget(deps), body: associationBody, reply: typeReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      return associationView(await addAssociation(deps, await namespaceOf(deps, call), call.body)) as never;
    },
  }),
  endpoint({
    id: 'metadef-associations:delete', method: 'DELETE', path: `${ALL}/{name}`, summary: 'End the association with a resource type', policy: 'remove_metadef_resource_type_association', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await removeAssociation(deps, await namespaceOf(deps, call), (call.params as unknown as { name: string }).name);
      return undefined;
    },
  }),
];

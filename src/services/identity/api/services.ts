/** Regions, services and endpoints. */
import { Type, type TSchema } from 'typebox';
import { type AnyCall, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { nullable, oneOf } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import {
  createEndpoint, createRegion, createService, deleteEndpoint, deleteRegion, deleteService, updateEndpoint, updateRegion, updateService,
  type EndpointInput, type RegionInput, type ServiceInput,
} from '../model/services.ts';
import { findEndpoint, findRegion, findService, listEndpoints, listRegions, listServices } from '../store/services.ts';
import type { EndpointRow, RegionRow, ServiceRow } from '../store/tables.ts';
import { crudEndpoints, crudRules, type Resource } from './crud.ts';
import { entryReply, linkTo, type Shown } from './lists.ts';
import { originOf } from './links.ts';
import { ANY_SCOPE, rule } from './rules.ts';
import { bodyOf, optionalFlag, optionalText } from './schemas.ts';

const regionId = Type.String({ maxLength: 255 });
const regionFields = { id: Type.Optional(regionId), parent_region_id: Type.Optional(nullable(regionId)), description: optionalText };
const regions: Resource & { create: TSchema } = {
  one: 'region', many: 'regions', path: '/v3/regions', parameter: 'region_id',
  create: bodyOf('region', Type.Object(regionFields)), update: bodyOf('region', Type.Object(regionFields, { minProperties: 1 })),
};

const typeName = Type.String({ minLength: 1, maxLength: 255 });
const serviceFields = { name: Type.Optional(nullable(Type.String({ maxLength: 255 }))), description: optionalText, enabled: optionalFlag };
const services: Resource = {
  one: 'service', many: 'services', path: '/v3/services', parameter: 'service_id',
  create: bodyOf('service', Type.Object({ ...serviceFields, type: typeName })),
  update: bodyOf('service', Type.Object({ ...serviceFields, type: Type.Optional(typeName) }, { minProperties: 1 })),
};

const url = Type.String({ maxLength: 1024, pattern: '^([a-zA-Z0-9+.-]+:.+|\\$\\(public_url\\)s.*)$' });
const face = oneOf('public', 'internal', 'admin');
const endpointFields = { region_id: Type.Optional(nullable(regionId)), region: Type.Optional(nullable(regionId)), enabled: optionalFlag };
const endpoints: Resource = {
  one: 'endpoint', many: 'endpoints', path: '/v3/endpoints', parameter: 'endpoint_id',
  create: bodyOf('endpoint', Type.Object({ ...endpointFields, service_id: Type.String(), interface: face, url })),
  update: bodyOf('endpoint', Type.Object({ ...endpointFields, service_id: Type.Optional(Type.String()), interface: Type.Optional(face), url: Type.Optional(url) }, { minProperties: 1 })),
};

export const catalogRules: PolicyRule[] = [
  rule('get_region', '', ANY_SCOPE, 'GET /v3/regions/{region_id}', 'Show a region.'),
  rule('list_regions', '', ANY_SCOPE, 'GET /v3/regions', 'List regions.'),
  ...crudRules(regions).filter(({ name }) => !/:(get|list)_/.test(name)),
  ...crudRules(services),
  ...crudRules(endpoints),
];

export function showEndpoint(identity: Identity, call: AnyCall, row: EndpointRow): Shown {
  const shown = row.url.replaceAll('$(public_url)s', originOf(identity, call));
  return {
    ...parseFields(row.extra), id: row.id, service_id: row.service_id, interface: row.interface, url: shown, region_id: row.region_id, region: row.region_id,
    enabled: row.enabled === 1, ...linkTo(identity, call, 'endpoints', row.id),
  };
}

function showRegion(identity: Identity, call: AnyCall, row: RegionRow): Shown {
  return { ...parseFields(row.extra), id: row.id, parent_region_id: row.parent_region_id, description: row.description, ...linkTo(identity, call, 'regions', row.id) };
}

function showService(identity: Identity, call: AnyCall, row: ServiceRow): Shown {
  return {
    ...parseFields(row.extra), id: row.id, type: row.type, enabled: row.enabled === 1, ...(row.name === null ? {} : { name: row.name }),
    ...(row.description === null ? {} : { description: row.description }), ...linkTo(identity, call, 'services', row.id),
  };
}

export function catalogEndpoints(identity: Identity): Endpoint[] {
  return [...regionEndpoints(identity), putRegion(identity), ...serviceEndpoints(identity), ...endpointEndpoints(identity)];
}

function regionEndpoints(identity: Identity): Endpoint[] {
  return crudEndpoints(identity, regions, {
    filters: { parent_region_id: 'parent_region_id' },
    list: (options) => listRegions(identity.db.read, options),
    find: (id) => findRegion(identity.db.read, id),
    show: (call, row) => showRegion(identity, call, row),
    create: (body) => createRegion(identity, body as RegionInput),
    update: (id, body) => updateRegion(identity, id, body as RegionInput),
    remove: (id) => deleteRegion(identity, id),
  });
}

/** A region with an id of the caller's choice. */
function putRegion(identity: Identity): Endpoint {
  return endpoint({
    id: 'identity:create_region_with_id', method: 'PUT', path: '/v3/regions/{region_id}', summary: 'Create a region', policy: 'identity:create_region', body: regions.create, reply: entryReply('region'), status: 201,
    async handler(call) {
      const input = (call.body as { region: RegionInput }).region;
      if (input.id !== undefined && input.id !== call.params.region_id) throw badRequest('identity.id-differs', 'Conflicting region IDs specified: the one in the URL and the one in the body are not the same.');
      return { region: showRegion(identity, call, await createRegion(identity, { ...input, id: call.params.region_id })) };
    },
  });
}

function serviceEndpoints(identity: Identity): Endpoint[] {
  return crudEndpoints(identity, services, {
    filters: { type: 'type', name: 'name' },
    list: (options) => listServices(identity.db.read, options),
    find: (id) => findService(identity.db.read, id),
    show: (call, row) => showService(identity, call, row),
    create: (body) => createService(identity, body as ServiceInput & { type: string }),
    update: (id, body) => updateService(identity, id, body as ServiceInput),
    remove: (id) => deleteService(identity, id),
  });
}

function endpointEndpoints(identity: Identity): Endpoint[] {
  return crudEndpoints(identity, endpoints, {
    filters: { interface: 'interface', service_id: 'service_id', region_id: 'region_id', region: 'region_id', enabled: { flag: 'enabled' } },
    list: (options) => listEndpoints(identity.db.read, options),
    find: (id) => findEndpoint(identity.db.read, id),
    show: (call, row) => showEndpoint(identity, call, row),
    create: (body) => createEndpoint(identity, body as Parameters<typeof createEndpoint>[1]),
    update: (id, body) => updateEndpoint(identity, id, body as EndpointInput),
    remove: (id) => deleteEndpoint(identity, id),
  });
}

/** Identity providers, their protocols, mappings, and service providers (`OS-FEDERATION`). */
import { Type } from 'typebox';
import type { Endpoint, PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import {
  createIdentityProvider, createProtocol, createServiceProvider, deleteIdentityProvider, deleteProtocol, deleteServiceProvider, noSuchProtocol,
  updateIdentityProvider, updateProtocol, updateServiceProvider, type IdentityProviderInput, type ProtocolInput, type ServiceProviderInput,
} from '../model/identity-providers.ts';
import { createMapping, deleteMapping, updateMapping, type MappingInput } from '../model/mappings.ts';
import {
  findIdentityProvider, findMapping, findProtocol, findServiceProvider, listIdentityProviders, listMappings, listProtocols, listServiceProviders, remoteIdsOf,
} from '../store/federation.ts';
import type { IdentityProviderRow, ServiceProviderRow } from '../store/tables.ts';
import { linkTo } from './lists.ts';
import { mappingBody } from './mapping-schema.ts';
import { namedEndpoints, namedRules, type NamedResource } from './named.ts';
import { bodyOf, idString, optionalFlag, optionalText } from './schemas.ts';

const BASE = '/v3/OS-FEDERATION';
const strict = { additionalProperties: false };

const providerFields = {
  enabled: optionalFlag, description: optionalText,
  authorization_ttl: Type.Optional(nullable(Type.Integer({ minimum: 0 }))),
  remote_ids: Type.Optional(nullable(Type.Array(Type.String({ maxLength: 255 }), { uniqueItems: true, maxItems: 1000 }))),
};
const providers: NamedResource = {
  one: 'identity_provider', many: 'identity_providers', path: `${BASE}/identity_providers`, parameter: 'idp_id',
  create: bodyOf('identity_provider', Type.Object({ ...providerFields, domain_id: Type.Optional(nullable(idString)) }, strict)),
  update: bodyOf('identity_provider', Type.Object(providerFields, { ...strict, minProperties: 1 })),
};

const mappingId = Type.String({ minLength: 1, maxLength: 64 });
const protocols: NamedResource = {
  one: 'protocol', many: 'protocols', path: `${BASE}/identity_providers/{idp_id}/protocols`, parameter: 'protocol_id',
  create: bodyOf('protocol', Type.Object({ mapping_id: mappingId, remote_id_attribute: Type.Optional(nullable(Type.String({ maxLength: 64 }))) }, strict)),
  update: bodyOf('protocol', Type.Object({ mapping_id: mappingId, remote_id_attribute: Type.Optional(Type.String({ maxLength: 64 })) }, strict)),
};

const mappings: NamedResource = {
  one: 'mapping', many: 'mappings', path: `${BASE}/mappings`, parameter: 'mapping_id', create: bodyOf('mapping', mappingBody), update: bodyOf('mapping', mappingBody),
};

const url = Type.String({ maxLength: 225, pattern: '^[a-zA-Z0-9+.-]+:.+$' });
const serviceProviderFields = { description: optionalText, enabled: optionalFlag, relay_state_prefix: Type.Optional(nullable(Type.String({ maxLength: 256 }))) };
const serviceProviders: NamedResource = {
  one: 'service_provider', many: 'service_providers', path: `${BASE}/service_providers`, parameter: 'sp_id',
  create: bodyOf('service_provider', Type.Object({ ...serviceProviderFields, auth_url: url, sp_url: url }, strict)),
  update: bodyOf('service_provider', Type.Object({ ...serviceProviderFields, auth_url: Type.Optional(url), sp_url: Type.Optional(url) }, { ...strict, minProperties: 1 })),
};

export const federationRules: PolicyRule[] = [providers, protocols, mappings, serviceProviders].flatMap(namedRules);

export function federationEndpoints(identity: Identity): Endpoint[] {
  return [...providerEndpoints(identity), ...protocolEndpoints(identity), ...mappingEndpoints(identity), ...serviceProviderEndpoints(identity)];
}

/** Ids go into URLs and into tokens. */
function newId(id: string): string {
  if (id.length > 64) throw badRequest('identity.id-too-long', `Invalid input for field 'id': '${id}' is too long`);
  return id;
}

function providerEndpoints(identity: Identity): Endpoint[] {
  const db = identity.db.read;
  const show = async (call: PathCall, rows: readonly IdentityProviderRow[]): Promise<object[]> => {
    const remote = await remoteIdsOf(db, rows.map((row) => row.id));
    return rows.map(({ id, domain_id, enabled, description, authorization_ttl }) => {
      const { self } = linkTo(identity, call, 'OS-FEDERATION', 'identity_providers', id).links;
      return { id, domain_id, enabled: enabled === 1, description, authorization_ttl, remote_ids: remote.get(id) ?? [], links: { self, protocols: `${self}/protocols` } };
    });
  };
  return namedEndpoints<IdentityProviderRow>(identity, providers, {
    filters: { id: 'id', enabled: { flag: 'enabled' } },
    list: (options) => listIdentityProviders(db, options),
    async find({ idp_id = '' }) {
      const row = await findIdentityProvider(db, idp_id);
      if (row === undefined) throw noSuch('identity provider', idp_id);
      return row;
    },
    show,
    create: ({ idp_id = '' }, body) => createIdentityProvider(identity, newId(idp_id), body as IdentityProviderInput),
    update: ({ idp_id = '' }, body) => updateIdentityProvider(identity, idp_id, body as IdentityProviderInput),
    remove: ({ idp_id = '' }) => deleteIdentityProvider(identity, idp_id),
  });
}

function protocolEndpoints(identity: Identity): Endpoint[] {
  const db = identity.db.read;
  return namedEndpoints(identity, protocols, {
    filters: {},
    async list(options, { idp_id = '' }) {
      if ((await findIdentityProvider(db, idp_id)) === undefined) throw noSuch('identity provider', idp_id);
      return await listProtocols(db, idp_id, options);
    },
    async find({ idp_id = '', protocol_id = '' }) {
      const row = await findProtocol(db, idp_id, protocol_id);
      if (row === undefined) throw noSuchProtocol(idp_id, protocol_id);
      return row;
    },
    show: (call, rows) => Promise.resolve(rows.map(({ id, identity_provider_id, mapping_id, remote_id_attribute }) => {
      const { self } = linkTo(identity, call, 'OS-FEDERATION', 'identity_providers', identity_provider_id, 'protocols', id).links;
      return { id, idp_id: identity_provider_id, mapping_id, remote_id_attribute, links: { self, identity_provider: self.replace(/\/protocols\/[^/]*$/, '') } };
    })),
    create: ({ idp_id = '', protocol_id = '' }, body) => createProtocol(identity, idp_id, newId(protocol_id), body as ProtocolInput),
    update: ({ idp_id = '', protocol_id = '' }, body) => updateProtocol(identity, idp_id, protocol_id, body as ProtocolInput),
    remove: ({ idp_id = '', protocol_id = '' }) => deleteProtocol(identity, idp_id, protocol_id),
  });
}

function mappingEndpoints(identity: Identity): Endpoint[] {
  const db = identity.db.read;
  return namedEndpoints(identity, mappings, {
    filters: {},
    list: (options) => listMappings(db, options),
    async find({ mapping_id = '' }) {
      const row = await findMapping(db, mapping_id);
      if (row === undefined) throw noSuch('mapping', mapping_id);
      return row;
    },
    show: (call, rows) => Promise.resolve(rows.map(({ id, rules, schema_version }) => (
      { id, rules: JSON.parse(rules) as unknown[], schema_version, ...linkTo(identity, call, 'OS-FEDERATION', 'mappings', id) }))),
    create: ({ mapping_id = '' }, body) => createMapping(identity, newId(mapping_id), body as MappingInput),
    update: ({ mapping_id = '' }, body) => updateMapping(identity, mapping_id, body as MappingInput),
    remove: ({ mapping_id = '' }) => deleteMapping(identity, mapping_id),
  });
}

function serviceProviderEndpoints(identity: Identity): Endpoint[] {
  const db = identity.db.read;
  return namedEndpoints<ServiceProviderRow>(identity, serviceProviders, {
    filters: { id: 'id', enabled: { flag: 'enabled' } },
    list: (options) => listServiceProviders(db, options),
    async find({ sp_id = '' }) {
      const row = await findServiceProvider(db, sp_id);
      if (row === undefined) throw noSuch('service provider', sp_id);
      return row;
    },
    show: (call, rows) => Promise.resolve(rows.map((row) => ({ ...row, enabled: row.enabled === 1, ...linkTo(identity, call, 'OS-FEDERATION', 'service_providers', row.id) }))),
    create: ({ sp_id = '' }, body) => createServiceProvider(identity, newId(sp_id), body as ServiceProviderInput & { auth_url: string; sp_url: string }),
    update: ({ sp_id = '' }, body) => updateServiceProvider(identity, sp_id, body as ServiceProviderInput),
    remove: ({ sp_id = '' }) => deleteServiceProvider(identity, sp_id),
  });
}

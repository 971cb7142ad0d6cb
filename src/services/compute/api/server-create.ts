import type { Static } from 'typebox';
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { password } from '../../../kernel/ids.ts';
import type { InjectedFile } from '../../../agents/compute/protocol.ts';
import type { RequestedNic } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { type MappingInput, type WantedVolume, wantedVolumes } from '../model/block-device-mapping.ts';
import { type CreateServers, createServers } from '../model/create-servers.ts';
import { parseZone } from '../model/server-placement.ts';
import { versions } from '../versions.ts';
import { asBoolean, isBase64, link, shortIpv6 } from './parameters.ts';
import { createBody } from './server-schemas.ts';
import { isAdmin } from './server-target.ts';
import { serverLinks } from './server-view.ts';

type Body = Static<typeof createBody>;
type NewServer = Body['server'];

const createReply = Type.Union([
  Type.Object({ reservation_id: Type.String() }),
  Type.Object({
    server: Type.Object({
      id: Type.String(),
      links: Type.Array(link),
      'OS-DCF:diskConfig': Type.String(),
      security_groups: Type.Array(Type.Object({ name: Type.Optional(Type.String()) })),
      adminPass: Type.Optional(Type.String()),
    }),
  }),
]);

export const serverCreateEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'servers:create',
    method: 'POST',
    path: '/v2.1/servers',
    summary: 'Create servers',
    policy: 'os_compute_api:servers:create',
    body: createBody,
    // User data alone may have 64 KiB, files some more.
    bodyLimit: 262_144,
    reply: createReply,
    status: 202,
    handler: async (call) => {
      const { server } = call.body;
      const asked = parse(call, call.body, deps.config.enable_instance_password);
      const caller = { ctx: call.ctx, auth: call.auth, is_admin: isAdmin(call), zero_disk: call.allows('os_compute_api:servers:create:zero_disk_flavor') };
      const rows = await createServers(deps, caller, asked);
      const first = rows[0]!;
      if (server.return_reservation_id !== undefined && asBoolean(server.return_reservation_id)) return { reservation_id: first.reservation_id };
      const links = serverLinks(call.base, first.id);
      const shown = {
        id: first.id,
        links,
        'OS-DCF:diskConfig': first.disk_config,
        security_groups: server.security_groups ?? [{ name: 'default' }],
        ...(asked.admin_password === null ? {} : { adminPass: asked.admin_password.text }),
      };
      return reply({ server: shown }, { headers: { location: links[0]!.href } });
    },
  }),
];

function parse(call: Call<unknown, unknown, Body>, body: Body, passwords: boolean): CreateServers {
  const { server } = body;
  refuseUnsupported(server);
  const zone = parseZone(server.availability_zone);
  const min_count = Number(server.min_count ?? 1);
  return {
    name: server.name.trim(),
    description: call.version >= versions.SERVER_DESCRIPTION ? (server.description ?? null) : server.name.trim(),
    hostname: server.hostname,
    image_id: imageOf(server),
    flavor_id: lastPart(String(server.flavorRef)),
    networks: networksOf(call, server),
    security_groups: [...new Set((server.security_groups ?? []).flatMap(({ name }) => (name === undefined ? [] : [name])))],
    key_name: server.key_name ?? null,
    metadata: server.metadata ?? {},
    tags: server.tags ?? [],
    user_data: userDataOf(server),
    config_drive: server.config_drive !== undefined && asBoolean(server.config_drive),
    admin_password: passwords ? { text: server.adminPass ?? password(12), drawn: server.adminPass === undefined } : null,
    files: filesOf(server.personality ?? []),
    min_count,
    max_count: Number(server.max_count ?? min_count),
    access_ip_v4: server.accessIPv4 ?? null,
    access_ip_v6: server.accessIPv6 === undefined ? null : shortIpv6(server.accessIPv6),
    disk_config: server['OS-DCF:diskConfig'],
    ...hostOf(call, server, zone),
    volumes: volumesOf(server),
    multiattach: call.version >= versions.MULTI_ATTACH,
    hints: (body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {}) as Record<string, unknown>,
  };
}

const refused = (message: string): Error => badRequest('compute.not-supported', message);

/** What a container cannot have is said, not forgotten. */
function refuseUnsupported(server: NewServer): void {
  if (server.block_device_mapping?.length && server.block_device_mapping_v2?.length) {
    throw refused('Using different block_device_mapping syntaxes is not allowed in the same request.');
  }
  if (server.trusted_image_certificates) throw refused('Image signature certificate validation failed: signed images are not supported here, trusted_image_certificates cannot be checked.');
}

/** @throws Fault 400 in nova's words. */
function volumesOf(server: NewServer): WantedVolume[] {
  const { block_device_mapping: old, block_device_mapping_v2: mappings } = server;
  const legacy = old !== undefined && old.length > 0;
  const asked = ((legacy ? old : mappings) ?? []).map((one) => ({ ...one, ...(one.delete_on_termination === undefined ? {} : { delete_on_termination: asBoolean(one.delete_on_termination) }) }));
  return wantedVolumes(asked as MappingInput[], server.imageRef ?? '', legacy);
}

function imageOf(server: NewServer): string {
  if (server.imageRef !== undefined && server.imageRef !== '') return server.imageRef;
  if ((server.block_device_mapping ?? server.block_device_mapping_v2 ?? []).length === 0) throw badRequest('compute.image-missing', 'Missing imageRef attribute');
  return '';
}

const lastPart = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1);

function userDataOf(server: NewServer): string | null {
  if (server.user_data === undefined || server.user_data === '') return null;
  if (!isBase64(server.user_data)) throw badRequest('compute.user-data-invalid', 'User data needs to be valid base 64.');
  return server.user_data;
}

export function filesOf(personality: readonly { path?: string; contents?: string }[]): InjectedFile[] {
  return personality.map(({ path, contents }) => {
    if (path === undefined || contents === undefined) throw badRequest('compute.file-invalid', `Bad personality format: missing ${path === undefined ? 'path' : 'contents'}`);
    if (!isBase64(contents)) throw badRequest('compute.file-invalid', `Personality content for ${path} cannot be decoded`);
    const absolute = path.startsWith('/') ? path : `/${path}`;
    if (absolute.endsWith('/') || absolute.includes('\0') || absolute.split('/').includes('..')) {
      throw badRequest('compute.file-invalid', `Personality path ${path} is not a path of a file.`);
    }
    return { path: absolute, content: contents.replaceAll(/\s/g, '') };
  });
}

function networksOf(call: Call<unknown, unknown, Body>, server: NewServer): RequestedNic[] | 'auto' | 'none' {
  const { networks } = server;
  if (networks === undefined) {
    if (call.version < versions.NETWORKS_AUTO) return [];
    throw badRequest('api.body-invalid', "Invalid input for field/attribute server. 'networks' is a required property");
  }
  if (networks !== 'none' && networks.length > 0) call.enforce('os_compute_api:servers:create:attach_network');
  if (typeof networks === 'string') return networks as 'auto' | 'none';
  const items = networks as { uuid?: string; port?: string | null; fixed_ip?: string; tag?: string }[];
  return requestedNics(items);
}

function requestedNics(items: { uuid?: string; port?: string | null; fixed_ip?: string; tag?: string }[]): RequestedNic[] {
  const ports = new Set<string>();
  return items.map(({ uuid, port, fixed_ip, tag }) => {
    const extra = tag === undefined ? {} : { tag };
    if (port) {
      if (ports.has(port)) throw badRequest('compute.port-twice', `Port ID '${port}' was specified twice: you cannot attach a port multiple times.`);
      if (fixed_ip !== undefined) {
        throw badRequest('compute.port-with-address', `Specified Fixed IP '${fixed_ip}' cannot be used with port '${port}': the two cannot be specified together.`);
      }
      ports.add(port);
      return { port_id: port, ...extra };
    }
    if (uuid === undefined) throw badRequest('compute.network-missing', "Bad network format: missing 'uuid'");
    if (!/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(uuid)) {
      throw badRequest('compute.network-invalid', `Bad networks format: network uuid is not in proper format (${uuid})`);
    }
    return { network_id: uuid, ...(fixed_ip === undefined ? {} : { fixed_ip }), ...extra };
  });
}

type Where = Pick<CreateServers, 'zone' | 'host' | 'hypervisor_hostname' | 'forced'>;

function hostOf(call: Call<unknown, unknown, Body>, server: NewServer, zone: ReturnType<typeof parseZone>): Where {
  const forced = zone.host !== undefined || zone.node !== undefined;
  const requested = server.host !== undefined || server.hypervisor_hostname !== undefined;
  if (forced) call.enforce('os_compute_api:servers:create:forced_host');
  if (requested) {
    call.enforce('compute:servers:create:requested_destination');
    if (forced) {
      const message = 'One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.';
      throw badRequest('compute.host-twice', message);
    }
  }
  return forced
    ? { zone: zone.zone, host: zone.host, hypervisor_hostname: zone.node, forced }
    : { zone: zone.zone, host: server.host, hypervisor_hostname: server.hypervisor_hostname, forced };
}

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { uuidString } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { RequestedNic, ServerNic } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { groupsOf } from '../model/server-row.ts';
import { attachInterface, detachInterface, findNic, liveNics } from '../model/server-interfaces.ts';
import { versions } from '../versions.ts';
import { ipText, tagText } from './parameters.ts';
import { groupReply, groupViews } from './security-groups.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';

const closed = { additionalProperties: false } as const;

const wanted = Type.Object({
  net_id: Type.Optional(uuidString),
  port_id: Type.Optional(uuidString),
  fixed_ips: Type.Optional(Type.Array(Type.Object({ ip_address: ipText }, closed), { minItems: 1, maxItems: 1 })),
  tag: Type.Optional(since(versions.ATTACH_TAGS, tagText)),
}, closed);

const shown = Type.Object({
  net_id: Type.String(),
  port_id: Type.String(),
  mac_addr: Type.String(),
  port_state: Type.String(),
  fixed_ips: Type.Array(Type.Object({ subnet_id: Type.String(), ip_address: Type.String() })),
});

function showNic(nic: ServerNic, version: number) {
  return {
    net_id: nic.network_id,
    port_id: nic.port_id,
    mac_addr: nic.mac_address,
    port_state: nic.status,
    fixed_ips: nic.fixed_ips.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
    ...(version >= versions.ATTACHMENT_TAGS ? { tag: nic.tag } : {}),
  };
}

export const serverInterfaceEndpoints = (deps: ComputeDeps): Endpoint[] => [...reads(deps), ...changes(deps), groups(deps)];

const reads = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-interfaces:list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-interface',
    summary: 'List the interfaces of a server',
    policy: 'os_compute_api:os-attach-interfaces:list',
    target: serverTarget(deps),
    reply: Type.Object({ interfaceAttachments: Type.Array(shown) }),
    status: 200,
    handler: async (call) => ({ interfaceAttachments: (await liveNics(deps, call.params.server_id)).map((nic) => showNic(nic, call.version)) }),
  }),
  endpoint({
    id: 'server-interfaces:show',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-interface/{port_id}',
    summary: 'Show one interface of a server',
    policy: 'os_compute_api:os-attach-interfaces:show',
    target: serverTarget(deps),
    reply: Type.Object({ interfaceAttachment: shown }),
    status: 200,
    handler: async (call) => {
      const { server_id, port_id } = call.params;
      return { interfaceAttachment: showNic(await findNic(deps, server_id, port_id), call.version) };
    },
  }),
];

const changes = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-interfaces:create',
    method: 'POST',
    path: '/v2.1/servers/{server_id}/os-interface',
    summary: 'Attach an interface to a server',
    policy: 'os_compute_api:os-attach-interfaces:create',
    target: serverTarget(deps),
    body: Type.Object({ interfaceAttachment: Type.Optional(wanted) }, closed),
    reply: Type.Object({ interfaceAttachment: shown }),
    status: 200,
    handler: async (call) => {
      const { net_id, port_id, fixed_ips, tag } = call.body.interfaceAttachment ?? {};
      const fixed_ip = fixed_ips?.[0]?.ip_address;
      if (net_id !== undefined && port_id !== undefined) throw badRequest('compute.network-and-port', 'Must not input both network_id and port_id');
      if (fixed_ip !== undefined && net_id === undefined) throw badRequest('compute.fixed-ip-alone', 'Must input network_id when request IP address');
      const asked: RequestedNic = {};
      if (net_id !== undefined) asked.network_id = net_id;
      if (port_id !== undefined) asked.port_id = port_id;
      if (fixed_ip !== undefined) asked.fixed_ip = fixed_ip;
      if (tag !== undefined) asked.tag = tag;
      const nic = await attachInterface(deps, { ctx: call.ctx, is_admin: isAdmin(call) }, call.auth, serverOf(call), asked);
      return { interfaceAttachment: showNic(nic, call.version) };
    },
  }),
  endpoint({
    id: 'server-interfaces:delete',
    method: 'DELETE',
    path: '/v2.1/servers/{server_id}/os-interface/{port_id}',
    summary: 'Detach an interface from a server',
    policy: 'os_compute_api:os-attach-interfaces:delete',
    target: serverTarget(deps),
    status: 202,
    handler: async (call) => {
      await detachInterface(deps, { ctx: call.ctx, is_admin: isAdmin(call) }, serverOf(call), call.params.port_id);
      return undefined;
    },
  }),
];

const groups = (deps: ComputeDeps): Endpoint =>
  endpoint({
    id: 'server-security-groups:list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/os-security-groups',
    summary: 'List the security groups of a server',
    policy: 'os_compute_api:os-security-groups:list',
    target: serverTarget(deps),
    reply: Type.Object({ security_groups: Type.Array(groupReply) }),
    status: 200,
    handler: async (call) => {
      return { security_groups: await groupViews(deps, call, await deps.network.securityGroups(groupsOf(serverOf(call)).map(({ id }) => id))) };
    },
  });

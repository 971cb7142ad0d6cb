import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { ServerNic } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { groupsOf } from '../model/server-row.ts';
import { versions } from '../versions.ts';
import { groupReply, groupViews } from './security-groups.ts';
import { serverOf, serverTarget } from './server-target.ts';

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

async function liveNics(deps: ComputeDeps, server_id: string): Promise<ServerNic[]> {
  return (await deps.network.nicsOf([server_id])).get(server_id) ?? [];
}

export const serverInterfaceEndpoints = (deps: ComputeDeps): Endpoint[] => [
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
      const nic = (await liveNics(deps, server_id)).find((one) => one.port_id === port_id);
      if (nic === undefined) throw notFound('compute.interface-not-found', `Instance ${server_id} does not have a port with id ${port_id}`);
      return { interfaceAttachment: showNic(nic, call.version) };
    },
  }),
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
  }),
];

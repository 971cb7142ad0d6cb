import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../deps.ts';
import { changeServer, deleteServer } from '../model/servers.ts';
import { softDeleteServer } from '../model/soft-delete.ts';
import type { ServerChange } from '../store/servers.ts';
import { versions } from '../versions.ts';
import { shortIpv6 } from './parameters.ts';
import { updateBody } from './server-schemas.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';
import { serverCore, serverDetail, serverReply } from './server-view.ts';
import { viewOptions } from './view-options.ts';

const path = '/v2.1/servers/{server_id}';
const oneServer = Type.Object({ server: serverReply });

export const serverEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'servers:show',
    method: 'GET',
    path,
    summary: 'Show a server',
    policy: 'os_compute_api:servers:show',
    target: serverTarget(deps),
    reply: oneServer,
    status: 200,
    handler: async (call) => {
      const row = serverOf(call);
      return { server: serverDetail(row, await viewOptions(deps, call, [row], true)) as never };
    },
  }),
  endpoint({
    id: 'servers:update',
    method: 'PUT',
    path,
    summary: 'Change name, description, hostname, access addresses or disk configuration of a server',
    policy: 'os_compute_api:servers:update',
    target: serverTarget(deps),
    body: updateBody,
    reply: oneServer,
    status: 200,
    handler: async (call) => {
      const { server } = call.body;
      const change: ServerChange = {};
      if (server.name !== undefined) change.name = server.name.trim();
      if (server.description !== undefined) change.description = server.description;
      if (server.hostname !== undefined) change.hostname = server.hostname;
      if (server.accessIPv4 !== undefined) change.access_ip_v4 = server.accessIPv4;
      if (server.accessIPv6 !== undefined) change.access_ip_v6 = shortIpv6(server.accessIPv6);
      if (server['OS-DCF:diskConfig'] !== undefined) change.disk_config = server['OS-DCF:diskConfig'];
      const row = await changeServer(deps, call.params.server_id, change);
      const options = await viewOptions(deps, call, [row], true);
      return { server: (call.version >= versions.STRICT_QUERIES ? serverDetail(row, options) : serverCore(row, options, false)) as never };
    },
  }),
  endpoint({
    id: 'servers:delete',
    method: 'DELETE',
    path,
    summary: 'Delete a server',
    policy: 'os_compute_api:servers:delete',
    target: serverTarget(deps),
    status: 204,
    handler: async (call) => {
      await (deps.config.reclaim_instance_interval > 0 ? softDeleteServer : deleteServer)(deps, { ctx: call.ctx, is_admin: isAdmin(call) }, serverOf(call));
      return undefined;
    },
  }),
];

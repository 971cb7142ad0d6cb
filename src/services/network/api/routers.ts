import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import { badResource, invalidAttribute, networkNotFound, portNotFound, subnetNotFound } from '../faults.ts';
import { routerNotFound } from '../l3-faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { routerView } from '../model/l3-views.ts';
import { hostFor } from '../model/router-hosts.ts';
import { addInterfaceByPort, addInterfaceBySubnet, removeInterfaceByPort, removeInterfaceBySubnet, type RouterInterface } from '../model/router-interfaces.ts';
import { changeRoutes, createRouter, deleteRouter, newRouterId, updateRouter, type GatewayInfo, type NewRouter, type RouterChange } from '../model/routers.ts';
import { boolean, fixedIps, hostRoutes, nameString, noneAsEmptyList, show, uniqueStrings, uuid, type Parse } from '../model/validate.ts';
import { findNetwork } from '../store/networks.ts';
import { findPorts, findSeenPort } from '../store/ports.ts';
import { findRouter, listRouters } from '../store/routers.ts';
import { findSeenSubnet } from '../store/subnets.ts';
import type { RouterRow, Tx } from '../store/tables.ts';
import { tagsOf } from '../store/tags.ts';
import { itemOf, standardAttributes, text, type Attributes, type Item } from './attributes.ts';
import { networkTarget } from '../model/networks.ts';
import { isAdmin, resourceEndpoints, reveal, visibleProject, type Resource, type View } from './resource.ts';

const gatewayInfo: Parse<GatewayInfo | null> = (value, attribute) => {
  if (value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidAttribute(attribute, `'${show(value)}' is not a dictionary`);
  const { network_id, enable_snat, external_fixed_ips } = value as Record<string, unknown>;
  if (Object.keys(value as object).length === 0) return null;
  if (network_id === undefined) throw invalidAttribute(attribute, `Validation of dictionary's keys failed. Expected keys: ['network_id'] Provided keys: ${show(Object.keys(value as object))}`);
  return {
    network_id: uuid(network_id, attribute),
    ...(enable_snat === undefined ? {} : { enable_snat: boolean(enable_snat, attribute) }),
    ...(external_fixed_ips === undefined ? {} : { external_fixed_ips: fixedIps(external_fixed_ips, attribute) }),
  };
};

export const routerAttributes: Attributes = {
  ...standardAttributes,
  name: { post: true, put: true, default: '', parse: nameString(), column: text('name') },
  admin_state_up: { post: true, put: true, default: true, parse: boolean, column: { name: 'admin_state_up', type: 'boolean', sort: true, filter: true } },
  status: {},
  external_gateway_info: { post: true, put: true, default: null, parse: gatewayInfo, ruled: true },
  routes: { put: true, parse: noneAsEmptyList(hostRoutes) },
  availability_zones: {},
  availability_zone_hints: { post: true, default: [], parse: uniqueStrings(255) },
  flavor_id: {},
  ha: { guarded: true },
  distributed: { guarded: true },
  tags: {},
};

export const routerTarget = (row: RouterRow): Record<string, unknown> => ({ project_id: row.project_id, tenant_id: row.project_id });

async function views(env: NetworkDeps, rows: readonly RouterRow[]): Promise<View[]> {
  const gateways = new Map((await findPorts(env.db.read, rows.flatMap((row) => row.gw_port_id ?? []))).map((port) => [port.id, port]));
  const tags = await tagsOf(env.db.read, rows.map((row) => row.id));
  return rows.map((row) => routerView(row, row.gw_port_id === null ? undefined : gateways.get(row.gw_port_id), tags.get(row.id) ?? []));
}

/** A gateway's network has to be one that the caller may see. */
async function checkNetwork(env: NetworkDeps, call: Call, item: Item): Promise<void> {
  const id = (item['external_gateway_info'] as GatewayInfo | null | undefined)?.network_id;
  if (id === undefined) return;
  const network = await findNetwork(env.db.read, id);
  if (network === undefined || !call.allows('get_network', networkTarget(network))) throw networkNotFound(id);
}

export function routerEndpoints(env: NetworkDeps): Endpoint[] {
  const load = async (id: string): Promise<RouterRow> => {
    const row = await findRouter(env.db.read, id);
    if (row === undefined) throw routerNotFound(id);
    return row;
  };
  const resource: Resource<RouterRow> = {
    name: 'router', collection: 'routers', path: 'routers', table: 'network_routers', attributes: routerAttributes,
    async list(call: Call, list) {
      const { rows, more } = await listRouters(env.db.read, visibleProject(call), list);
      const items = (await views(env, rows)).map((view) => reveal(call, resource, view, list.fields));
      return { items, first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    load,
    target: routerTarget,
    notFound: routerNotFound,
    view: async (_call, row) => (await views(env, [row]))[0]!,
    createTarget: (_call, values) => ({ project_id: values['project_id'] }),
    async prepare(call, items) {
      for (const item of items) {
        await checkNetwork(env, call, item);
        const id = newRouterId();
        item['home'] = { id, ...(await hostFor(env, id)) };
      }
    },
    async create(_call, tx, items) {
      const ids: string[] = [];
      for (const { home, ...item } of items) ids.push((await createRouter(env, tx, { ...item, ...(home as object) } as unknown as NewRouter)).id);
      return ids;
    },
    update: async (_call, tx, id, { home: _home, ...change }) => void (await updateRouter(env, tx, id, change as RouterChange)),
    remove: (_call, tx, id) => deleteRouter(env, tx, id),
    moreRules: (attribute, value) => (attribute === 'external_gateway_info' && value !== null ? Object.keys(value as object) : []),
  };
  return [...resourceEndpoints(env, resource), ...interfaceEndpoints(env, load), ...routeEndpoints(env, resource)];
}

interface Asked {
  port_id?: string | undefined;
  subnet_id?: string | undefined;
}

function readInterface(body: unknown, removal: boolean): Asked {
  const { port_id, subnet_id } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (port_id === undefined && subnet_id === undefined) throw badResource('router', 'Either subnet_id or port_id must be specified');
  for (const id of [port_id, subnet_id]) {
    if (id !== undefined && (typeof id !== 'string' || !isUuidLike(id))) throw badResource('router', `'${show(id)}' is not a valid UUID`);
  }
  if (!removal && port_id !== undefined && subnet_id !== undefined) throw badResource('router', 'Cannot specify both subnet-id and port-id');
  return { port_id: port_id as string | undefined, subnet_id: subnet_id as string | undefined };
}

async function checkVisible(env: NetworkDeps, call: Call, { port_id, subnet_id }: Asked): Promise<void> {
  if (port_id !== undefined) {
    const port = await findSeenPort(env.db.read, port_id);
    if (port === undefined || !call.allows('get_port', { project_id: port.project_id, 'network:project_id': port.network_project_id })) throw portNotFound(port_id);
  }
  if (subnet_id !== undefined) {
    const subnet = await findSeenSubnet(env.db.read, subnet_id);
    const target = subnet && { project_id: subnet.project_id, 'network:project_id': subnet.network_project_id, shared: subnet.network_shared === 1 };
    if (target === undefined || !call.allows('get_subnet', target)) throw subnetNotFound(subnet_id);
  }
}

async function seenTarget(load: (id: string) => Promise<RouterRow>, call: Call): Promise<Record<string, unknown>> {
  const id = call.params['id']!;
  const row = await load(id);
  if (!call.allows('get_router', routerTarget(row))) throw routerNotFound(id);
  return routerTarget(row);
}

/** Routes to add or to take, while others do the same (extraroute-atomic). */
function routeEndpoints(env: NetworkDeps, resource: Resource<RouterRow>): Endpoint[] {
  return (['add', 'remove'] as const).map((verb) => endpoint({
    id: `routers:${verb}-extraroutes`, method: 'PUT', path: `/v2.0/routers/{id}/${verb}_extraroutes`, summary: verb === 'add' ? 'Add routes to a router' : 'Take routes from a router',
    policy: `${verb}_extraroutes`, status: 200, body: Type.Object({ router: Type.Optional(Type.Unknown({ description: 'Attributes: routes.' })) }), reply: Type.Object({ router: Type.Record(Type.String(), Type.Unknown()) }),
    target: (call) => seenTarget(resource.load, call as Call),
    handler: async (given) => {
      const call = given as Call;
      const id = call.params['id']!;
      const routes = hostRoutes(itemOf(call.body, 'router')['routes'], 'routes');
      await env.db.transaction((tx) => changeRoutes(env, tx, id, verb, routes));
      return { router: reveal(call, resource, await resource.view(call, await resource.load(id)), []) };
    },
  }));
}

function interfaceEndpoints(env: NetworkDeps, load: (id: string) => Promise<RouterRow>): Endpoint[] {
  const declare = (name: 'add_router_interface' | 'remove_router_interface', summary: string, change: (call: Call, tx: Tx, id: string, asked: Asked) => Promise<RouterInterface>): Endpoint =>
    endpoint({
      id: `routers:${name.replaceAll('_', '-')}`, method: 'PUT', path: `/v2.0/routers/{id}/${name}`, summary, policy: name, status: 200,
      body: Type.Object({ port_id: Type.Optional(Type.Unknown()), subnet_id: Type.Optional(Type.Unknown()) }),
      reply: Type.Object({ id: Type.String(), port_id: Type.String(), network_id: Type.String(), subnet_id: Type.String(), subnet_ids: Type.Array(Type.String()) }),
      target: (call) => seenTarget(load, call as Call),
      handler: async (given) => {
        const call = given as Call;
        const asked = readInterface(call.body, name === 'remove_router_interface');
        if (name === 'add_router_interface' || asked.port_id === undefined) await checkVisible(env, call, asked);
        const { router_id, subnet_ids, project_id, ...rest } = await env.db.transaction((tx) => change(call, tx, call.params['id']!, asked));
        return { id: router_id, tenant_id: project_id, project_id, ...rest, subnet_id: (name === 'add_router_interface' ? subnet_ids.at(-1) : subnet_ids[0])!, subnet_ids };
      },
    });
  return [
    declare('add_router_interface', 'Connect a router to a subnet', (call, tx, id, { port_id, subnet_id }) => {
      const who = { project_id: call.auth.project_id, admin: isAdmin(call) };
      return port_id === undefined ? addInterfaceBySubnet(env, tx, id, subnet_id!, who) : addInterfaceByPort(env, tx, id, port_id, who);
    }),
    declare('remove_router_interface', 'Disconnect a router from a subnet', (_call, tx, id, { port_id, subnet_id }) =>
      port_id === undefined ? removeInterfaceBySubnet(env, tx, id, subnet_id!) : removeInterfaceByPort(env, tx, id, port_id, subnet_id)),
  ];
}

import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { agentNotFound, plainBadRequest } from '../faults.ts';
import type { NetworkDeps, NodeView } from '../deps.ts';
import { boolean, string } from '../model/validate.ts';
import { agentSettings, saveAgentSettings } from '../store/agents.ts';
import type { AgentRow } from '../store/tables.ts';
import { itemOf, parseUpdate, type Attributes } from './attributes.ts';
import { pick, readList } from './list-query.ts';

/** What a node's network part is called in neutron, by the roles that have it. */
interface AgentKind {
  agent_type: string;
  binary: string;
  topic: string;
  availability_zone: string | null;
  roles: readonly string[];
}

const KINDS: readonly AgentKind[] = [
  { agent_type: 'Linux bridge agent', binary: 'neutron-linuxbridge-agent', topic: 'N/A', availability_zone: null, roles: ['network', 'compute'] },
  { agent_type: 'L3 agent', binary: 'neutron-l3-agent', topic: 'l3_agent', availability_zone: 'nova', roles: ['network'] },
];

const agent = Type.Record(Type.String(), Type.Unknown());

/** Filtered in memory: there are about as many agents as nodes. */
const attributes: Attributes = {
  admin_state_up: { put: true, parse: boolean },
  description: { put: true, parse: (value, name) => (value === null ? null : string(255)(value, name)) },
};
const FILTERS = ['id', 'agent_type', 'binary', 'host', 'alive', 'admin_state_up', 'topic', 'availability_zone'];

/** `2026-01-31 12:00:00`, as neutron shows times of agents. */
const spaced = (instant: string): string => instant.slice(0, 19).replace('T', ' ');

/** One id per program and node, for good. */
export function agentId(binary: string, node_id: string): string {
  const hex = createHash('sha256').update(`${binary} ${node_id}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function show(node: NodeView, kind: AgentKind, settings: AgentRow | undefined): Record<string, unknown> {
  return {
    id: agentId(kind.binary, node.id),
    agent_type: kind.agent_type,
    binary: kind.binary,
    topic: kind.topic,
    host: node.hostname,
    admin_state_up: settings?.admin_state_up !== 0,
    created_at: spaced(node.created_at ?? node.last_seen_at),
    started_at: spaced(node.created_at ?? node.last_seen_at),
    heartbeat_timestamp: spaced(node.last_seen_at),
    description: settings?.description ?? null,
    availability_zone: kind.availability_zone,
    alive: node.state === 'up',
    configurations: { tunneling_ip: node.tunnel_ip ?? null, tunnel_types: ['vxlan'] },
    resource_versions: {},
    resources_synced: null,
  };
}

async function agents(env: NetworkDeps): Promise<Record<string, unknown>[]> {
  const settings = new Map((await agentSettings(env.db.read)).map((row) => [row.id, row]));
  const nodes = await env.nodes.nodes();
  return KINDS.flatMap((kind) =>
    nodes
      .filter((node) => kind.roles.some((role) => node.roles.includes(role)))
      .map((node) => show(node, kind, settings.get(agentId(kind.binary, node.id)))),
  );
}

async function find(env: NetworkDeps, id: string): Promise<Record<string, unknown>> {
  const found = (await agents(env)).find((one) => one['id'] === id);
  if (found === undefined) throw agentNotFound(id);
  return found;
}

export function agentEndpoints(env: NetworkDeps): Endpoint[] {
  const list = endpoint({
    id: 'agents:list', method: 'GET', path: '/v2.0/agents', summary: 'List the agents', policy: 'regular_user', status: 200, reply: Type.Object({ agents: Type.Array(agent) }),
    handler: async (call) => {
      const { special, fields } = readList(call, {}, FILTERS);
      if (!call.allows('get_agent')) return { agents: [] };
      const matches = (one: Record<string, unknown>): boolean => Object.entries(special).every(([name, values]) => values.some((value) => value.toLowerCase() === String(one[name]).toLowerCase()));
      return { agents: (await agents(env)).filter(matches).map((one) => pick(one, fields)) };
    },
  });
  const item = endpoint({
    id: 'agents:show', method: 'GET', path: '/v2.0/agents/{id}', summary: 'Show an agent', policy: 'regular_user', status: 200, reply: Type.Object({ agent }),
    handler: async (call) => {
      if (!call.allows('get_agent')) throw agentNotFound(call.params.id);
      return { agent: pick(await find(env, call.params.id), call.url.searchParams.getAll('fields')) };
    },
  });
  const update = endpoint({
    id: 'agents:update', method: 'PUT', path: '/v2.0/agents/{id}', summary: 'Describe an agent, or set it aside', policy: 'update_agent', status: 200,
    body: Type.Object({ agent: Type.Optional(Type.Unknown({ description: 'Attributes: admin_state_up, description.' })) }), reply: Type.Object({ agent }),
    handler: async (call) => {
      const before = await find(env, call.params.id);
      const { values } = parseUpdate(attributes, itemOf(call.body, 'agent'));
      if (Object.keys(values).length === 0) throw plainBadRequest('Body contains invalid data');
      const next = { admin_state_up: before['admin_state_up'], description: before['description'], ...values } as { admin_state_up: boolean; description: string | null };
      await env.db.transaction((tx) => saveAgentSettings(tx, { id: call.params.id, admin_state_up: next.admin_state_up ? 1 : 0, description: next.description }));
      return { agent: await find(env, call.params.id) };
    },
  });
  return [list, item, update];
}

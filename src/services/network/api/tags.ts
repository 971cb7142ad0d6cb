import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, type Target } from '../../../kernel/api/endpoint.ts';
import { invalidInput, tagNotFound, tagResourceNotFound } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { changeTags, type TagChange, type TaggedTable } from '../model/tags.ts';
import { show } from '../model/validate.ts';
import { findFloatingIp } from '../store/floating-ips.ts';
import { findNetwork } from '../store/networks.ts';
import { findSeenPort } from '../store/ports.ts';
import { findRouter } from '../store/routers.ts';
import { findSecurityGroup } from '../store/security-groups.ts';
import { findSeenSubnet } from '../store/subnets.ts';
import { tagsOf } from '../store/tags.ts';
import { networkTarget } from '../model/networks.ts';

interface Tagged {
  name: string;
  path: string;
  table: TaggedTable;
  /** What the rules look at; undefined when it is not there. */
  target(id: string): Promise<Target | undefined>;
}

const tags = Type.Object({ tags: Type.Array(Type.String()) });
const MAX_LENGTH = 255;

function tagged(env: NetworkDeps): Tagged[] {
  const db = env.db.read;
  return [
    { name: 'network', path: 'networks', table: 'network_networks', target: async (id) => ifThere(await findNetwork(db, id), networkTarget) },
    {
      name: 'subnet', path: 'subnets', table: 'network_subnets',
      target: async (id) => ifThere(await findSeenSubnet(db, id), (row) => ({ project_id: row.project_id, 'network:project_id': row.network_project_id, shared: row.network_shared === 1 })),
    },
    { name: 'port', path: 'ports', table: 'network_ports', target: async (id) => ifThere(await findSeenPort(db, id), (row) => ({ project_id: row.project_id, 'network:project_id': row.network_project_id })) },
    { name: 'router', path: 'routers', table: 'network_routers', target: async (id) => ifThere(await findRouter(db, id), (row) => ({ project_id: row.project_id })) },
    { name: 'floatingip', path: 'floatingips', table: 'network_floating_ips', target: async (id) => ifThere(await findFloatingIp(db, id), (row) => ({ project_id: row.project_id })) },
    { name: 'security_group', path: 'security-groups', table: 'network_security_groups', target: async (id) => ifThere(await findSecurityGroup(db, id), (row) => ({ project_id: row.project_id })) },
  ];
}

const ifThere = <T>(row: T | undefined, make: (row: T) => Target): Target | undefined => (row === undefined ? undefined : make(row));

function checkTag(tag: unknown): string {
  if (typeof tag !== 'string') throw invalidInput(`'${show(tag)}' is not a valid string`);
  if (tag.length > MAX_LENGTH) throw invalidInput(`'${tag}' exceeds maximum length of ${MAX_LENGTH}`);
  return tag;
}

function readTags(body: unknown): string[] {
  const list = (body as { tags?: unknown } | null)?.tags;
  if (list === undefined) throw invalidInput('Invalid tags body');
  if (!Array.isArray(list)) throw invalidInput(`'${show(list)}' is not a list`);
  const read = list.map(checkTag);
  const twice = read.filter((tag, at) => read.indexOf(tag) < at);
  if (twice.length > 0) throw invalidInput(`Duplicate items in the list: '${twice.join(', ')}'`);
  return read;
}

export function tagEndpoints(env: NetworkDeps): Endpoint[] {
  return tagged(env).flatMap((resource) => endpointsOf(env, resource));
}

function endpointsOf(env: NetworkDeps, resource: Tagged): Endpoint[] {
  const { name, path } = resource;
  const target = async (call: { params: unknown }): Promise<Target> => {
    const { id } = call.params as { id: string };
    const found = await resource.target(id);
    const seen = found !== undefined && (call as Call).allows(`get_${name}`, found);
    if (!seen) throw tagResourceNotFound(path.replaceAll('-', '_'), id);
    return found;
  };
  const change = (call: { params: unknown }, what: TagChange): Promise<string[]> =>
    env.db.transaction((tx) => changeTags(env, tx, resource.table, (call.params as { id: string }).id, what));
  const all = `/v2.0/${path}/{id}/tags` as const;
  const one = `/v2.0/${path}/{id}/tags/{tag}` as const;
  const about = name.replaceAll('_', ' ');
  return [
    endpoint({
      id: `${path}:tags`, method: 'GET', path: all, summary: `List the tags of a ${about}`, policy: `get_${name}:tags`, target, reply: tags, status: 200,
      handler: async (call) => ({ tags: (await tagsOf(env.db.read, [call.params.id])).get(call.params.id) ?? [] }),
    }),
    endpoint({
      id: `${path}:replace-tags`, method: 'PUT', path: all, summary: `Replace the tags of a ${about}`, policy: `update_${name}:tags`, target, reply: tags, status: 200,
      body: Type.Object({ tags: Type.Optional(Type.Unknown({ description: 'A list of text.' })) }),
      handler: async (call) => ({ tags: await change(call, { replace: readTags(call.body) }) }),
    }),
    endpoint({
      id: `${path}:clear-tags`, method: 'DELETE', path: all, summary: `Remove all tags of a ${about}`, policy: `delete_${name}:tags`, target, status: 204,
      handler: async (call) => void (await change(call, { clear: true })),
    }),
    endpoint({
      id: `${path}:check-tag`, method: 'GET', path: one, summary: `Whether a ${about} has a tag`, policy: `get_${name}:tags`, target, status: 204,
      handler: async (call) => {
        const has = (await tagsOf(env.db.read, [call.params.id])).get(call.params.id)?.includes(checkTag(call.params.tag));
        if (has !== true) throw tagNotFound(call.params.tag);
        return undefined;
      },
    }),
    endpoint({
      id: `${path}:add-tag`, method: 'PUT', path: one, summary: `Add a tag to a ${about}`, policy: `update_${name}:tags`, target, status: 201,
      handler: async (call) => void (await change(call, { add: checkTag(call.params.tag) })),
    }),
    endpoint({
      id: `${path}:remove-tag`, method: 'DELETE', path: one, summary: `Remove a tag from a ${about}`, policy: `delete_${name}:tags`, target, status: 204,
      handler: async (call) => void (await change(call, { remove: checkTag(call.params.tag) })),
    }),
  ];
}

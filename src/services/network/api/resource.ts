/** The five calls of one collection, declared from its attribute map. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply, type Target } from '../../../kernel/api/endpoint.ts';
import { badResource, revisionMismatch } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import type { NetworkTables, Tx } from '../store/tables.ts';
import { holdRevision } from '../store/revisions.ts';
import { itemOf, itemsOf, parseCreate, parseUpdate, type Attributes, type Item, type Parsed } from './attributes.ts';
import { pageLinks, pick, readList, type ListCall } from './list-query.ts';

export type View = Record<string, unknown>;

/** One page, as objects or as their JSON. */
export interface ListResult {
  items: View[] | string[];
  first: string | undefined;
  last: string | undefined;
  more: boolean;
}

export interface Resource<Row> {
  /** `security_group` */
  name: string;
  /** `security_groups` */
  collection: string;
  /** `security-groups` */
  path: string;
  table: keyof NetworkTables;
  attributes: Attributes;
  /** Filters that `list` reads itself. */
  filters?: string[];
  list(call: Call, list: ListCall): Promise<ListResult>;
  /** Faults: 404 in the resource's own words. */
  load(id: string): Promise<Row>;
  /** What the rules look at. */
  target(row: Row): Target;
  /** The 404 for a row that the caller may not see. */
  notFound(id: string): Error;
  view(call: Call, row: Row): Promise<View> | View;
  /** What the rules look at before it exists; may throw 404 for a foreign parent. */
  createTarget(call: Call, values: Item): Promise<Target> | Target;
  /** @returns ids. Runs in a transaction. `before` runs ahead of it. */
  prepare?(call: Call, items: Item[]): Promise<void>;
  create(call: Call, tx: Tx, items: Item[]): Promise<string[]>;
  update?(call: Call, tx: Tx, id: string, change: Item, row: Row): Promise<void>;
  remove(call: Call, tx: Tx, id: string, row: Row): Promise<void>;
  /** More rules for an explicit value: `create_port:fixed_ips:ip_address`. */
  moreRules?(attribute: string, value: unknown): string[];
}

const bodySchema = (resource: Pick<Resource<unknown>, 'name' | 'collection' | 'attributes'>, verb: 'post' | 'put') => {
  const names = Object.entries(resource.attributes).filter(([, attribute]) => attribute[verb] === true).map(([name]) => name);
  const item = Type.Unknown({ description: `Attributes: ${names.join(', ')}.` });
  return Type.Object(verb === 'post' ? { [resource.name]: Type.Optional(item), [resource.collection]: Type.Optional(Type.Unknown({ description: 'A list of the same: all or none.' })) } : { [resource.name]: Type.Optional(item) });
};

const querySchema = (resource: Pick<Resource<unknown>, 'attributes' | 'filters'>) => {
  const names = [...Object.entries(resource.attributes).filter(([, attribute]) => attribute.column?.filter === true).map(([name]) => name), ...(resource.filters ?? []), 'fields', 'sort_key', 'sort_dir', 'tags', 'tags-any', 'not-tags', 'not-tags-any'];
  const lists = Object.fromEntries(names.map((name) => [name, Type.Optional(Type.Array(Type.String()))]));
  return Type.Object({ ...lists, limit: Type.Optional(Type.String()), marker: Type.Optional(Type.String()), page_reverse: Type.Optional(Type.String()) });
};

const itemSchema = (name: string) => Type.Object({ [name]: Type.Record(Type.String(), Type.Unknown()) });
const listSchema = (collection: string) => Type.Object({ [collection]: Type.Array(Type.Record(Type.String(), Type.Unknown())) });

export function isAdmin(call: Pick<Call, 'allows'>): boolean {
  return call.allows('context_is_admin');
}

/** The project whose resources alone the caller sees; undefined: all. */
export function visibleProject(call: Call): string | undefined {
  return isAdmin(call) || call.allows('service_api') ? undefined : (call.auth.project_id ?? '');
}

/** Leaves out what `get_x:attribute` forbids, and what was not asked for. */
export function reveal(call: Call, resource: Pick<Resource<unknown>, 'name' | 'attributes'>, view: View, fields: readonly string[]): View {
  const hidden = hiddenAttributes(call, resource);
  const seen = hidden.length === 0 ? view : Object.fromEntries(Object.entries(view).filter(([name]) => !hidden.includes(name)));
  return pick(seen, fields);
}

export function hiddenAttributes(call: Call, resource: Pick<Resource<unknown>, 'name' | 'attributes'>): string[] {
  return Object.entries(resource.attributes).filter(([name, attribute]) => attribute.guarded === true && !call.allows(`get_${resource.name}:${name}`)).map(([name]) => name);
}

export function resourceEndpoints<Row>(env: NetworkDeps, resource: Resource<Row>): Endpoint[] {
  const reads = readEndpoints(resource);
  const writes = [createEndpoint(env, resource), deleteEndpoint(env, resource)];
  return resource.update === undefined ? [...reads, ...writes] : [...reads, ...writes, updateEndpoint(env, resource)];
}

/** Loads what the path names and hides it, as not there, from who may not see it. */
function loader<Row>(resource: Resource<Row>): { target(call: Call): Promise<Target>; row(call: Call): Row } {
  const rows = new WeakMap<object, Row>();
  return {
    async target(call) {
      const id = call.params['id']!;
      const row = await resource.load(id);
      const target = resource.target(row);
      if (!call.allows(`get_${resource.name}`, target)) throw resource.notFound(id);
      rows.set(call, row);
      return target;
    },
    row: (call) => rows.get(call)!,
  };
}

function readEndpoints<Row>(resource: Resource<Row>): Endpoint[] {
  const { name, collection, path } = resource;
  const loaded = loader(resource);
  const list = endpoint({
    id: `${path}:list`, method: 'GET', path: `/v2.0/${path}`, summary: `List ${collection.replaceAll('_', ' ')}`, policy: `get_${name}`,
    target: (call) => ({ project_id: call.auth.project_id, tenant_id: call.auth.project_id, 'network:project_id': call.auth.project_id, 'security_group:project_id': call.auth.project_id }),
    query: querySchema(resource), reply: listSchema(collection), status: 200,
    handler: async (call) => listReply(call as Call, resource),
  });
  const show = endpoint({
    id: `${path}:show`, method: 'GET', path: `/v2.0/${path}/{id}`, summary: `Show a ${name.replaceAll('_', ' ')}`, policy: `get_${name}`,
    target: (call) => loaded.target(call as Call), query: Type.Object({ fields: Type.Optional(Type.Array(Type.String())) }), reply: itemSchema(name), status: 200,
    handler: async (call) => {
      const view = await resource.view(call as Call, loaded.row(call as Call));
      return { [name]: reveal(call as Call, resource, view, call.url.searchParams.getAll('fields')) };
    },
  });
  return [list, show];
}

async function listReply<Row>(call: Call, resource: Resource<Row>): Promise<never> {
  const list = readList(call, resource.attributes, resource.filters);
  const { items, first, last, more } = await resource.list(call, list);
  const links = pageLinks(call, list, { first, last, more, count: items.length });
  if (typeof items[0] === 'string') {
    const tail = links === undefined ? '' : `,"${resource.collection}_links":${JSON.stringify(links)}`;
    return reply(`{"${resource.collection}":[${items.join(',')}]${tail}}`, { headers: { 'content-type': 'application/json' } }) as never;
  }
  return { [resource.collection]: items, ...(links === undefined ? {} : { [`${resource.collection}_links`]: links }) } as never;
}

interface Prepared {
  items: Parsed[];
  targets: Target[];
  bulk: boolean;
}

function createEndpoint<Row>(env: NetworkDeps, resource: Resource<Row>): Endpoint {
  const { name, collection, path } = resource;
  const prepared = new WeakMap<object, Prepared>();
  return endpoint({
    id: `${path}:create`, method: 'POST', path: `/v2.0/${path}`, summary: `Create a ${name.replaceAll('_', ' ')}, or several`, policy: `create_${name}`,
    body: bodySchema(resource, 'post'), reply: Type.Object({}), status: 201, bodyLimit: 1_048_576,
    target: async (call) => {
      const ready = await prepareCreate(call as Call, resource);
      prepared.set(call, ready);
      return ready.targets[0]!;
    },
    handler: async (given) => {
      const call = given as Call;
      const { items, targets, bulk } = prepared.get(call)!;
      for (const [at, item] of items.entries()) enforceItem(call, resource, 'create', item, targets[at]!);
      const values = items.map((item) => item.values);
      await resource.prepare?.(call, values);
      const ids = await env.db.transaction((tx) => resource.create(call, tx, values));
      const views = await Promise.all(ids.map(async (id) => reveal(call, resource, await resource.view(call, await resource.load(id)), [])));
      return (bulk ? { [collection]: views } : { [name]: views[0] }) as never;
    },
  });
}

async function prepareCreate<Row>(call: Call, resource: Resource<Row>): Promise<Prepared> {
  const { items, bulk } = itemsOf(call.body, resource.name, resource.collection);
  const admin = isAdmin(call);
  const parsed = items.map((item) => parseCreate(resource.attributes, item, call.auth, admin));
  const targets: Target[] = [];
  for (const item of parsed) targets.push({ ...plainTarget(item.values), ...(await resource.createTarget(call, item.values)) });
  return { items: parsed, targets, bulk };
}

function plainTarget(values: Item): Target {
  const plain = Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value !== 'object' || value === null));
  const owner = plain['device_owner'];
  return typeof owner === 'string' ? { ...plain, network_device: owner.startsWith('network:') } : plain;
}

function enforceItem<Row>(call: Call, resource: Resource<Row>, verb: 'create' | 'update', item: Parsed, target: Target): void {
  call.enforce(`${verb}_${resource.name}`, target);
  for (const name of item.explicit) {
    if (resource.attributes[name]?.ruled !== true) continue;
    call.enforce(`${verb}_${resource.name}:${name}`, target);
    for (const more of resource.moreRules?.(name, item.values[name]) ?? []) call.enforce(`${verb}_${resource.name}:${name}:${more}`, target);
  }
}

function updateEndpoint<Row>(env: NetworkDeps, resource: Resource<Row>): Endpoint {
  const { name, path } = resource;
  const loaded = loader(resource);
  return endpoint({
    id: `${path}:update`, method: 'PUT', path: `/v2.0/${path}/{id}`, summary: `Change a ${name.replaceAll('_', ' ')}`, policy: `update_${name}`,
    target: (call) => loaded.target(call as Call), body: bodySchema(resource, 'put'), reply: itemSchema(name), status: 200,
    handler: async (given) => {
      const call = given as Call;
      const id = call.params['id']!;
      const row = loaded.row(call);
      const parsed = parseUpdate(resource.attributes, itemOf(call.body, name));
      enforceItem(call, resource, 'update', parsed, { ...resource.target(row), ...plainTarget(parsed.values) });
      await resource.prepare?.(call, [parsed.values]);
      await env.db.transaction(async (tx) => {
        await checkRevision(call, tx, resource, id);
        await resource.update!(call, tx, id, parsed.values, row);
      });
      return { [name]: reveal(call, resource, await resource.view(call, await resource.load(id)), []) } as never;
    },
  });
}

function deleteEndpoint<Row>(env: NetworkDeps, resource: Resource<Row>): Endpoint {
  const { name, path } = resource;
  const loaded = loader(resource);
  return endpoint({
    id: `${path}:delete`, method: 'DELETE', path: `/v2.0/${path}/{id}`, summary: `Delete a ${name.replaceAll('_', ' ')}`, policy: `delete_${name}`,
    target: (call) => loaded.target(call as Call), status: 204,
    handler: async (given) => {
      const call = given as Call;
      const id = call.params['id']!;
      await env.db.transaction(async (tx) => {
        await checkRevision(call, tx, resource, id);
        await resource.remove(call, tx, id, loaded.row(call));
      });
      return undefined;
    },
  });
}

/** `If-Match: revision_number=5`. Faults: 412 when it is another one by now; 400. */
async function checkRevision<Row>(call: Call, tx: Tx, resource: Resource<Row>, id: string): Promise<void> {
  const tags = (call.headers['if-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^"|"$/g, '')).filter((tag) => tag.startsWith('revision_number='));
  if (tags.length === 0) return;
  if (tags.length > 1) throw badResource('if-match', 'Multiple revision_number etags are not supported.');
  const wanted = tags[0]!.slice('revision_number='.length);
  if (!/^\d{1,15}$/.test(wanted)) throw badResource('if-match', 'Revision number etag must be in the format of revision_number=<int>');
  const current = await holdRevision(tx, resource.table, id);
  if (current !== undefined && current !== Number(wanted)) throw revisionMismatch(Number(wanted), current);
}

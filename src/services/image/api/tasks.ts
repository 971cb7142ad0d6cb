/** The older task API, for administrators: glance keeps it beside the import of images. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { sortKeys } from '../../../kernel/api/list.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, methodNotAllowed } from '../../../kernel/fault.ts';
import { isUuidLike, uuid } from '../../../kernel/ids.ts';
import type { ImageDeps } from '../deps.ts';
import { markerNotFound } from '../faults.ts';
import { getImageTask, newImageTask, taskStub, taskView } from '../model/image-tasks.ts';
import { checkSource } from '../model/import-source.ts';
import { insertImageTask, listImageTasks } from '../store/image-tasks.ts';
import type { TaskStatus } from '../store/tables.ts';
import { askerOf } from './eyes.ts';

const STATUSES: TaskStatus[] = ['pending', 'processing', 'success', 'failure'];
const SORT_COLUMNS = Object.fromEntries(['id', 'type', 'status', 'created_at', 'updated_at', 'expires_at'].map((name) => [name, name]));

const stub = Type.Object({ id: Type.String(), type: Type.String(), status: Type.String(), owner: Type.String(), self: Type.String(), schema: Type.String(), created_at: Type.String(), updated_at: Type.String() });
const task = Type.Object({ ...stub.properties, message: Type.String() });

export const taskEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'tasks:list', method: 'GET', path: '/v2/tasks', summary: 'List tasks', policy: 'tasks_api_access', status: 200,
    query: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 0 })), marker: Type.Optional(Type.String()), sort_key: Type.Optional(Type.String()), sort_dir: Type.Optional(Type.String()),
      status: Type.Optional(Type.String()), type: Type.Optional(Type.String()), owner: Type.Optional(Type.String()),
    }),
    reply: Type.Object({ tasks: Type.Array(stub), first: Type.String(), next: Type.Optional(Type.String()), schema: Type.String() }),
    handler: (call) => list(deps, call),
  }),
  endpoint({
    id: 'tasks:create', method: 'POST', path: '/v2/tasks', summary: 'Create a task', policy: 'tasks_api_access', status: 201, body: Type.Record(Type.String(), Type.Unknown()), reply: task,
    handler: (call) => create(deps, call),
  }),
  endpoint({
    id: 'tasks:show', method: 'GET', path: '/v2/tasks/{task_id}', summary: 'Show a task', policy: 'tasks_api_access', status: 200, reply: task,
    handler: async (call) => taskView(await getImageTask(deps, call.params.task_id)),
  }),
  endpoint({
    id: 'tasks:delete', method: 'DELETE', path: '/v2/tasks/{task_id}', summary: 'Tasks go by themselves', policy: 'tasks_api_access', status: 405,
    handler: () => {
      throw methodNotAllowed('image.task-delete', 'Tasks cannot be deleted: each goes by itself when its expires_at has come.', { headers: { allow: 'GET' } });
    },
  }),
];

interface ListQuery {
  limit?: number;
  marker?: string;
  sort_key?: string;
  sort_dir?: string;
  status?: string;
  type?: string;
  owner?: string;
}

async function list(deps: ImageDeps, call: Pick<Call<unknown, ListQuery>, 'query' | 'url'>) {
  const { query } = call;
  const status = STATUSES.find((one) => one === query.status);
  if (query.status && !status) throw badRequest('image.task-filter', `Invalid status value: ${query.status}`);
  if (query.type && query.type !== 'import') throw badRequest('image.task-filter', `Invalid type value: ${query.type}`);
  const { sort_dir = 'desc', sort_key = 'created_at' } = query;
  if (sort_dir !== 'asc' && sort_dir !== 'desc') throw badRequest('image.sort', `Invalid sort direction: ${sort_dir}`);
  if (query.marker !== undefined && !isUuidLike(query.marker)) throw badRequest('image.marker', 'Invalid marker format');
  const sort = sortKeys([sort_key], [sort_dir], SORT_COLUMNS).map((key) => (key.column === 'expires_at' ? { ...key, nullable: true } : key));
  const limit = Math.min(query.limit ?? deps.config.page_size, deps.config.max_page_size);
  const found = await listImageTasks(deps.db.read, { status, type: query.type, owner: query.owner, now: isoMicros(deps.clock.now()), sort, marker_id: query.marker, limit });
  if (!found) throw markerNotFound(query.marker);
  const last = found.rows.at(-1);
  const address = (marker?: string): string => {
    const search = new URLSearchParams(call.url.search);
    search.delete('marker');
    if (marker !== undefined) search.set('marker', marker);
    return search.size === 0 ? '/v2/tasks' : `/v2/tasks?${search}`;
  };
  return { tasks: found.rows.map(taskStub), first: address(), ...(found.more && last ? { next: address(last.id) } : {}), schema: '/v2/schemas/tasks' };
}

interface ImportTaskInput {
  import_from: string;
  image_properties: Record<string, unknown>;
}

/** Faults: 400 for a task of another kind, without what it needs, or from a source that is not allowed. */
function readInput(body: Record<string, unknown>): ImportTaskInput {
  for (const name of ['type', 'input']) if (body[name] === undefined) throw badRequest('image.task-body', `Task '${name}' is required`);
  if (body['type'] !== 'import') throw badRequest('image.task-body', `Tasks of the type ${JSON.stringify(body['type'])} are not made here: 'import' is, and POST /v2/images/{image_id}/import makes those of the others.`);
  const input = body['input'] as Record<string, unknown> | null;
  if (typeof input !== 'object' || input === null) throw badRequest('image.task-body', "Task 'input' must be an object");
  for (const name of ['import_from', 'import_from_format', 'image_properties']) if (input[name] === undefined) throw badRequest('image.task-body', `Input does not contain '${name}' field`);
  const { import_from, image_properties } = input;
  if (typeof import_from !== 'string' || !/^https?:\/\//.test(import_from)) throw badRequest('image.import-uri', 'The given uri is not valid. It has to begin with http:// or https://.');
  if (typeof image_properties !== 'object' || image_properties === null || Array.isArray(image_properties)) throw badRequest('image.task-body', "'image_properties' must be an object");
  return { import_from, image_properties: image_properties as Record<string, unknown> };
}

async function create(deps: ImageDeps, call: Call<unknown, unknown, Record<string, unknown>>) {
  const { import_from, image_properties } = readInput(call.body);
  await checkSource(import_from, { container_format: null }, deps.config, deps.resolve);
  const asker = askerOf(call);
  const row = newImageTask(deps, asker, 'import', null, call.body['input'] as object);
  const fields = Object.keys(image_properties).length === 0 ? { disk_format: 'qcow2', container_format: 'bare' } : image_properties;
  const store = deps.stores.default_id;
  await deps.db.transaction(async (tx) => {
    await insertImageTask(tx, row);
    const input = { task_id: row.id, image_id: uuid(), method: 'web-download' as const, uri: import_from, stores: [store], all_stores_must_succeed: true, create: { owner: asker.project_id, fields } };
    await deps.tasks.import(tx, input, call.ctx);
  });
  return reply(taskView(row), { headers: { location: `/v2/tasks/${row.id}` } });
}

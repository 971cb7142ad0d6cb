/** Requests made after the declarations of the endpoints, most of them wrong. */
import type { Endpoint } from '../../src/kernel/api/endpoint.ts';
import type { Surface } from '../../src/kernel/service.ts';
import type { Random } from '../random.ts';
import { type Node, oddText, pick, sample, spoil } from './values.ts';

export interface Target {
  surface: Surface;
  endpoint: Endpoint;
}

export interface FuzzRequest {
  method: string;
  path: string;
  body?: string | Buffer;
  headers: Record<string, string>;
  /** True: the schema refuses it, so anything below 400 is a mistake. */
  certain: boolean;
}

/** Identifiers by the name that the path gives them. */
export type Ids = Record<string, string[]>;

const KEPT = 12;

/** Remembers what a reply says was made: `{"user": {"id": …}}` is a `user_id`, and a bare `{"id": …}` an `image_id`. */
export function learn(ids: Ids, reply: unknown): void {
  if (typeof reply !== 'object' || reply === null) return;
  const [kind, made] = 'id' in reply ? ['image', reply as { id: unknown }] as const : [Object.keys(reply)[0], Object.values(reply)[0] as { id?: unknown } | undefined] as const;
  if (kind === undefined || typeof made?.id !== 'string') return;
  const list = (ids[`${kind}_id`] ??= []);
  if (!list.includes(made.id)) list.push(made.id);
  if (list.length > KEPT) list.splice(1, 1);
}

/** One bad request to this endpoint: by its path, its query or its body. */
export function badRequest({ surface, endpoint }: Target, ids: Ids, random: Random): FuzzRequest {
  const spoiled = pick(random, ways(endpoint));
  // what exists stays: a deletion always names something else
  const path = surface.prefix + pathOf(endpoint, ids, random, spoiled === 'path' || endpoint.method === 'DELETE');
  const query = spoiled === 'query' ? queryOf(endpoint, random) : '';
  const headers: Record<string, string> = {};
  if (endpoint.method === 'GET' || endpoint.method === 'HEAD') return { method: endpoint.method, path: path + query, headers, certain: false };
  return { method: endpoint.method, path: path + query, headers, ...bodyOf(endpoint, Object.values(ids).flat(), random, spoiled === 'body', headers) };
}

function ways(endpoint: Endpoint): string[] {
  return ['query', 'query', 'query', ...(endpoint.path.includes('{') ? ['path'] : []), ...(endpoint.body === undefined ? [] : Array.from({ length: 12 }, () => 'body'))];
}

function pathOf(endpoint: Endpoint, ids: Ids, random: Random, spoiled: boolean): string {
  const places = endpoint.path.match(/\{[^}]+\}/g)?.length ?? 0;
  const wrong = spoiled ? Math.floor(random.between(0, places)) : -1;
  let at = 0;
  return endpoint.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    if (at++ === wrong) return encodeURIComponent(oddText(random));
    return encodeURIComponent(pick(random, ids[name.replace('*', '')] ?? Object.values(ids).flat()));
  });
}

function queryOf(endpoint: Endpoint, random: Random): string {
  const named = Object.keys((endpoint.query?.schema as Node | undefined)?.properties ?? {});
  const names = [...named, 'limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'name', 'nonsense'];
  const pairs = Array.from({ length: Math.floor(random.between(1, 4)) }, () => `${encodeURIComponent(pick(random, names))}=${encodeURIComponent(oddText(random))}`);
  return `?${pairs.join('&')}`;
}

function bodyOf(endpoint: Endpoint, known: readonly string[], random: Random, spoiled: boolean, headers: Record<string, string>): { body?: string | Buffer; certain: boolean } {
  if (endpoint.body === undefined) return { certain: false };
  if (endpoint.body === 'stream') {
    headers['content-type'] = pick(random, ['application/octet-stream', 'text/plain', 'application/json']);
    return { body: Buffer.from(JSON.stringify(spoil({}, random) ?? '') ?? ''), certain: false };
  }
  headers['content-type'] = pick(random, endpoint.mediaTypes.length > 0 ? [...endpoint.mediaTypes, 'application/json'] : ['application/json']);
  if (spoiled && random.chance(0.1)) return { body: pick(random, ['', '{', '{"a":', '[]', 'null', '"x"', '\u0000', '{"a":1}}', `[${'['.repeat(2000)}`]), certain: false };
  let value = sample(endpoint.body.schema as Node, random, known);
  for (let times = spoiled ? Math.floor(random.between(1, 3)) : 0; times > 0; times--) value = spoil(value, random);
  const body = JSON.stringify(value) ?? 'null';
  return { body, certain: endpoint.body.check(JSON.parse(body), 0) !== undefined };
}

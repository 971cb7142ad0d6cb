/** OpenAPI 3.1 out of the declarations: one document for all surfaces of the port. */
import type { Surface } from '../service.ts';
import type { Endpoint } from './endpoint.ts';
import { formatVersion, type Microversion } from './microversion.ts';

type Json = Record<string, unknown>;

export function openApi(surfaces: readonly Surface[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const surface of surfaces) {
    for (const [path, methods] of byPath(surface)) {
      paths[path] = Object.fromEntries([...methods].map(([method, endpoints]) => [method, operation(surface, endpoints)]));
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Gantry', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    tags: surfaces.map((surface) => ({ name: surface.name })),
    paths,
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
  };
}

function byPath(surface: Surface): Map<string, Map<string, Endpoint[]>> {
  const out = new Map<string, Map<string, Endpoint[]>>();
  for (const endpoint of surface.endpoints) {
    const path = surface.prefix + endpoint.path.replaceAll('*}', '}') || '/';
    const methods = out.get(path) ?? new Map<string, Endpoint[]>();
    const method = endpoint.method.toLowerCase();
    // OpenAPI knows no COPY: it stays out of the document
    if (method !== 'copy') methods.set(method, [...(methods.get(method) ?? []), endpoint]);
    out.set(path, methods);
  }
  return out;
}

function operation(surface: Surface, endpoints: Endpoint[]): Json {
  const first = endpoints[0]!;
  const bodies = endpoints.flatMap((one) => (one.body === undefined || one.body === 'stream' ? [] : [described(one, plain(one.body.schema))]));
  return {
    operationId: `${surface.name}:${endpoints.length === 1 ? first.id : `${first.id.split(':')[0]}:${first.method.toLowerCase()}${first.action === undefined ? '' : '-action'}:${first.path}`}`,
    tags: [surface.name],
    summary: endpoints.map((one) => one.summary).join(' | '),
    'x-policy': endpoints.map((one) => one.policy),
    ...(first.policy === 'public' ? { security: [] } : { security: [{ token: [] }] }),
    parameters: [...pathParameters(first), ...queryParameters(endpoints)],
    ...(bodies.length > 0 || first.body === 'stream' ? { requestBody: requestBody(first, bodies) } : {}),
    responses: responses(endpoints),
  };
}

function described(endpoint: Endpoint, schema: Json): Json {
  const range = versions(endpoint.since, endpoint.until);
  return range === '' ? schema : { ...schema, description: `${endpoint.summary} (${range})` };
}

function versions(since: Microversion | undefined, until: Microversion | undefined): string {
  return [since && `since ${formatVersion(since)}`, until && `until ${formatVersion(until)}`].filter(Boolean).join(', ');
}

function pathParameters(endpoint: Endpoint): Json[] {
  return [...endpoint.path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({
    name: name!.replace('*', ''),
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(endpoints: Endpoint[]): Json[] {
  const found = new Map<string, Json>();
  for (const endpoint of endpoints) {
    const schema = endpoint.query?.schema as { properties?: Record<string, object>; required?: string[] } | undefined;
    for (const [name, node] of Object.entries(schema?.properties ?? {})) {
      found.set(name, { name, in: 'query', required: schema?.required?.includes(name) ?? false, schema: plain(node) });
    }
  }
  return [...found.values()];
}

function requestBody(endpoint: Endpoint, bodies: Json[]): Json {
  if (endpoint.body === 'stream') return { content: { 'application/octet-stream': { schema: {} } } };
  const schema = bodies.length === 1 ? bodies[0] : { oneOf: bodies };
  const types = ['application/json', ...endpoint.mediaTypes];
  return { required: true, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}

function responses(endpoints: Endpoint[]): Json {
  const out: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    const description = endpoint.summary;
    if (endpoint.reply === undefined) out[endpoint.status] ??= { description };
    else if (endpoint.reply === 'stream') out[endpoint.status] = { description, content: { 'application/octet-stream': { schema: {} } } };
    else if (endpoint.reply === 'text') out[endpoint.status] = { description, content: { 'text/plain': { schema: { type: 'string' } } } };
    else out[endpoint.status] = { description, content: { 'application/json': { schema: plain(endpoint.reply.schema) } } };
  }
  return { ...out, default: { description: 'A fault in the format of the service.' } };
}

/** TypeBox keeps its own marks beside the JSON schema; they are not enumerable, so a copy through JSON is clean. */
function plain(schema: object): Json {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => {
      if (key.startsWith('~')) return undefined;
      if ((key === 'x-since' || key === 'x-until') && typeof value === 'number') return formatVersion(value);
      return value;
    }),
  ) as Json;
}

/** The JSON schemas of the metadata definitions, which clients build their forms and models from. */
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';

type Json = Record<string, unknown>;

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });
const shown = (description: string, more: Json = {}): Json => text(description, { readOnly: true, ...more });
const ref = (name: string): Json => ({ $ref: `#/definitions/${name}` });
const listOf = (items: Json): Json => ({ type: 'array', items });

const times = (what: string): Json => ({
  created_at: shown(`When the ${what} was made`, { format: 'date-time' }),
  updated_at: shown(`When the ${what} was last changed`, { format: 'date-time' }),
});
const links: Json = { self: { type: 'string', readOnly: true }, schema: { type: 'string', readOnly: true } };

const propertyProperties: Json = {
  name: { type: 'string', maxLength: 80 },
  title: { type: 'string' },
  description: { type: 'string' },
  operators: listOf({ type: 'string' }),
  type: { type: 'string', enum: TYPES },
  required: ref('stringArray'),
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: ref('positiveInteger'),
  minLength: ref('positiveIntegerDefault0'),
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  confidential: { type: 'boolean' },
  default: {},
  items: { type: 'object', properties: { type: { type: 'string', enum: TYPES }, enum: { type: 'array' } } },
  maxItems: ref('positiveInteger'),
  minItems: ref('positiveIntegerDefault0'),
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
};

const numbers: Json = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [ref('positiveInteger'), { default: 0 }] },
  stringArray: { ...listOf({ type: 'string' }), uniqueItems: true },
};
const definitions: Json = {
  ...numbers,
  property: { type: 'object', additionalProperties: { type: 'object', required: ['title', 'type'], properties: propertyProperties } },
};

const associationProperties: Json = {
  name: text('Resource type, named as Heat names it where Heat knows it', { maxLength: 80 }),
  prefix: text('Put before the names of the properties on this resource type, its separator included', { maxLength: 80 }),
  properties_target: text('Which of several sets of key-value pairs of the resource is meant, such as the image metadata of a volume', { maxLength: 80 }),
  ...times('association'),
};

const namespaceProperties: Json = {
  namespace: text('Unique name', { maxLength: 80 }),
  display_name: text('Name for people', { maxLength: 80 }),
  description: text('What it is about', { maxLength: 500 }),
  visibility: text('Who sees it', { enum: ['public', 'private'] }),
  protected: { type: 'boolean', description: 'True: it cannot be deleted' },
  owner: text('Project to which it belongs', { maxLength: 255 }),
  ...times('namespace'),
  ...links,
  resource_type_associations: listOf({ type: 'object', properties: { name: { type: 'string' }, prefix: { type: 'string' }, properties_target: { type: 'string' } } }),
  properties: ref('property'),
  objects: listOf({ type: 'object', properties: { name: { type: 'string' }, description: { type: 'string' }, required: ref('stringArray'), properties: ref('property') } }),
  tags: listOf({ type: 'object', properties: { name: { type: 'string' } } }),
};

const objectProperties: Json = {
  name: { type: 'string', maxLength: 80 },
  description: { type: 'string' },
  required: ref('stringArray'),
  properties: ref('property'),
  ...links,
  ...times('object'),
};

interface Item {
  name: string;
  properties: Json;
  required: string[];
  definitions?: Json;
}

const namespace: Item = { name: 'namespace', properties: namespaceProperties, required: ['namespace'], definitions };
const object: Item = { name: 'object', properties: objectProperties, required: ['name'], definitions };
const property: Item = { name: 'property', properties: propertyProperties, required: ['type', 'title', 'name'], definitions: numbers };
const tag: Item = { name: 'tag', properties: { name: { type: 'string', maxLength: 80 }, ...times('tag') }, required: ['name'] };
const association: Item = { name: 'resource_type_association', properties: associationProperties, required: ['name'] };

const single = (item: Item): Json => ({ ...item, additionalProperties: false });

/** Definitions stand at the top: the references in the items point there. */
function collection(name: string, { definitions: shared, ...item }: Item, content: 'list' | 'map' = 'list'): Json {
  const inner = single(item);
  return {
    name,
    properties: {
      [name]: content === 'list' ? listOf(inner) : { type: 'object', additionalProperties: inner },
      first: { type: 'string' }, next: { type: 'string' }, schema: { type: 'string' },
    },
    links: ['first', 'next', 'describedby'].map((rel) => ({ rel, href: rel === 'describedby' ? '{schema}' : `{${rel}}` })),
    ...(shared ? { definitions: shared } : {}),
  };
}

const SCHEMAS: Record<string, Json> = {
  namespace: single(namespace),
  namespaces: collection('namespaces', namespace),
  resource_type: single(association),
  resource_types: collection('resource_type_associations', association),
  object: single(object),
  objects: collection('objects', object),
  property: single(property),
  properties: collection('properties', { ...property, required: ['type', 'title'] }, 'map'),
  tag: single(tag),
  tags: collection('tags', tag),
};

export const metadefSchemaEndpoints = (): Endpoint[] =>
  Object.entries(SCHEMAS).map(([name, schema]) =>
    endpoint({ id: `schemas:metadefs-${name}`, method: 'GET', path: `/v2/schemas/metadefs/${name}`, summary: `JSON schema of metadata definitions: ${name}`, policy: 'get_images', status: 200, handler: () => schema }),
  );

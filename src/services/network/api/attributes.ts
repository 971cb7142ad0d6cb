/** Neutron's attribute maps: what a resource has, who may give it when, and how it is read. */
import type { Auth } from '../../../kernel/context.ts';
import { plainBadRequest } from '../faults.ts';
import { string, type Parse } from '../model/validate.ts';

/** How lists filter and sort by an attribute. */
export interface Column {
  name: string;
  type?: 'text' | 'boolean' | 'integer' | 'mac';
  sort?: boolean;
  filter?: boolean;
  nullable?: boolean;
}

export interface Attribute {
  post?: boolean;
  put?: boolean;
  /** Without it, and without a default, the attribute is left out when it is not given. */
  required?: boolean;
  default?: unknown;
  parse?: Parse;
  /** There is a rule `create_x:attribute` (`update_x:attribute`) of its own. */
  ruled?: boolean;
  /** Only shown to whom `get_x:attribute` allows. */
  guarded?: boolean;
  column?: Column;
}

export type Attributes = Readonly<Record<string, Attribute>>;

export const text = (name: string): Column => ({ name, sort: true, filter: true });
const standardColumn = (name: string, type: Column['type'] = 'text'): Column => ({ name, type, sort: true, filter: true });

/** What every resource has (the standard-attr extensions, project-id). */
export const standardAttributes: Attributes = {
  id: { column: text('id') },
  tenant_id: { post: true, parse: string(255), column: text('project_id') },
  project_id: { post: true, parse: string(255), column: text('project_id') },
  description: { post: true, put: true, default: '', parse: (value, name) => (value === null ? '' : string(255)(value, name)), column: standardColumn('description') },
  created_at: { column: standardColumn('created_at') },
  updated_at: { column: standardColumn('updated_at') },
  revision_number: { column: standardColumn('revision_number', 'integer') },
};

export type Item = Record<string, unknown>;

const isObject = (value: unknown): value is Item => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The items of `{"port": {…}}` or `{"ports": [{…}]}`. Faults: 400. */
export function itemsOf(body: unknown, resource: string, collection: string): { items: Item[]; bulk: boolean } {
  if (!isObject(body)) throw plainBadRequest('Body contains invalid data');
  const many = body[collection];
  if (many !== undefined) {
    if (!Array.isArray(many)) throw plainBadRequest('Body contains invalid data');
    if (many.length === 0) throw plainBadRequest('Resources required');
    const items = many.map((one: unknown) => (isObject(one) && isObject(one[resource]) && Object.keys(one).length === 1 ? one[resource] : one));
    if (!items.every(isObject)) throw plainBadRequest('Body contains invalid data');
    return { items, bulk: true };
  }
  return { items: [itemOf(body, resource)], bulk: false };
}

export function itemOf(body: unknown, resource: string): Item {
  if (!isObject(body)) throw plainBadRequest('Body contains invalid data');
  const item = body[resource];
  if (item === undefined) throw plainBadRequest(`Unable to find '${resource}' in request body`);
  if (!isObject(item)) throw plainBadRequest('Body contains invalid data');
  return item;
}

export interface Parsed {
  values: Item;
  /** Attributes that the caller named with something else than the default. */
  explicit: string[];
}

/** Reads one item of a create request. Faults: 400 in neutron's words and order. */
export function parseCreate(attributes: Attributes, item: Item, auth: Auth, admin: boolean): Parsed {
  refuseUnknown(attributes, item);
  const project_id = projectOf(item, auth, admin);
  const values: Item = {};
  const explicit: string[] = [];
  for (const [name, attribute] of Object.entries(attributes)) {
    const given = item[name];
    if (attribute.post !== true) {
      if (given !== undefined) throw plainBadRequest(`Attribute '${name}' not allowed in POST`);
    } else if (given === undefined && attribute.required === true) {
      throw plainBadRequest(`Failed to parse request. Required attribute '${name}' not specified`);
    }
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    const given = item[name];
    const value = given === undefined ? attribute.default : attribute.parse === undefined ? given : attribute.parse(given, name);
    if (attribute.post !== true || value === undefined) continue;
    values[name] = value;
    if (given !== undefined && value !== attribute.default) explicit.push(name);
  }
  return { values: { ...values, project_id, tenant_id: project_id }, explicit };
}

/** Reads an update. Faults: 400. */
export function parseUpdate(attributes: Attributes, item: Item): Parsed {
  refuseUnknown(attributes, item);
  const fixed = Object.keys(item).find((name) => attributes[name]?.put !== true);
  if (fixed !== undefined) throw plainBadRequest(`Cannot update read-only attribute ${fixed}`);
  const values: Item = {};
  for (const [name, given] of Object.entries(item)) {
    const parse = attributes[name]!.parse;
    values[name] = parse === undefined ? given : parse(given, name);
  }
  return { values, explicit: Object.keys(values) };
}

function refuseUnknown(attributes: Attributes, item: Item): void {
  const unknown = Object.keys(item).filter((name) => !Object.hasOwn(attributes, name));
  if (unknown.length > 0) throw plainBadRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
}

function projectOf(item: Item, auth: Auth, admin: boolean): string {
  const { project_id, tenant_id } = item;
  if (project_id !== undefined && tenant_id !== undefined && project_id !== tenant_id) throw plainBadRequest("'project_id' and 'tenant_id' do not match");
  const asked = project_id ?? tenant_id;
  if (asked === undefined || asked === null) {
    if (auth.project_id === undefined) throw plainBadRequest('Running without keystone AuthN requires that project_id is specified');
    return auth.project_id;
  }
  const id = string(255)(asked, project_id === undefined ? 'tenant_id' : 'project_id');
  if (id !== auth.project_id && !admin) throw plainBadRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges");
  return id;
}

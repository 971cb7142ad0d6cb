import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { didYouMean } from './suggest.ts';
import type { Section } from './schema.ts';

export interface Problem {
  section: string;
  key: string | undefined;
  text: string;
}

/** Everything that is wrong with one section, in words. */
export function checkSection(section: string, schema: Section, value: unknown): Problem[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return [{ section, key: undefined, text: `[${section}] is a section of settings, not ${kindOf(value)}` }];
  }
  const known = Object.keys(schema.properties);
  return Object.entries(value).flatMap(([key, given]): Problem[] => {
    const property = schema.properties[key] as TSchema | undefined;
    if (property === undefined) return [{ section, key, text: `unknown key "${key}" in [${section}]${didYouMean(key, known)}` }];
    const tables = tablesOf(property);
    if (tables !== undefined && Array.isArray(given)) return given.flatMap((table, index) => checkTable({ section, key, name: `${section}.${key}[${index}]` }, tables, table));
    if (Value.Check(property, given)) return [];
    return [{ section, key, text: `${section}.${key}: expected ${expected(property)}, got ${shown(given)}` }];
  });
}

/** What each table of a list like `[[section.key]]` may hold; undefined: it is no such list. */
function tablesOf(property: TSchema): Section | undefined {
  const { items } = property as { items?: TSchema & { type?: string } };
  return items?.type === 'object' ? (items as unknown as Section) : undefined;
}

/** As a section; what has no default has to be there. */
function checkTable({ section, key, name }: { section: string; key: string; name: string }, schema: Section, table: unknown): Problem[] {
  const problems = checkSection(name, schema, table);
  const given = typeof table === 'object' && table !== null ? Object.keys(table) : [];
  const lacking = Object.entries(schema.properties).filter(([one, property]) => !('default' in (property as object)) && !given.includes(one)).map(([one]) => one);
  return [...problems.map(({ text }) => text), ...lacking.map((one) => `${name}: "${one}" is missing`)].map((text) => ({ section, key, text }));
}

/** What a schema asks for, as a person would say it. */
function expected(schema: TSchema): string {
  const { type, anyOf, items, pattern, minimum, maximum, enum: values, const: constant, description } = schema as Record<string, never> & {
    type?: string; anyOf?: TSchema[]; items?: TSchema; pattern?: string; minimum?: number; maximum?: number; enum?: unknown[]; const?: unknown; description?: string;
  };
  if (constant !== undefined) return JSON.stringify(constant);
  if (values !== undefined) return `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;
  if (anyOf !== undefined) return `one of ${anyOf.map(expected).join(', ')}`;
  if (type === 'array') return `a list${items === undefined ? '' : ` of ${expected(items)}`}`;
  if (type === 'integer' || type === 'number') return `${type === 'integer' ? 'a whole number' : 'a number'}${range(minimum, maximum)}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'string') return pattern === undefined ? 'a text in quotes' : `a text like ${pattern}${description === undefined ? '' : ` (${description})`}`;
  return 'another value';
}

function range(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? '' : ` of at most ${maximum}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'nothing' : `a ${typeof value}`;
}

/** Values may be secrets (a database URL): only short plain ones are repeated. */
function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return value.length <= 40 && !value.includes('@') ? JSON.stringify(value) : 'another text';
  return kindOf(value);
}

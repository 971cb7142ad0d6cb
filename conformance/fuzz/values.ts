/** Values after a JSON schema, and ways to spoil them. */
import type { Random } from '../random.ts';

export interface Node {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Node[];
  oneOf?: Node[];
  allOf?: Node[];
  properties?: Record<string, Node>;
  required?: string[];
  patternProperties?: Record<string, Node>;
  additionalProperties?: boolean | Node;
  items?: Node | Node[];
  minItems?: number;
  maxLength?: number;
  minimum?: number;
  format?: string;
}

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random.between(0, list.length))]!;

/** What no field expects: each has broken some service once. */
const ODD: readonly unknown[] = [
  null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, '', ' ', 'x'.repeat(300), 'y'.repeat(70_000), '\u0000', '\uD800', '𝒳😀', '%', '\'; DROP TABLE images; --', '../../etc/passwd', '{{7*7}}',
  '00000000-0000-0000-0000-000000000000', 'not-a-date', '9999-99-99T99:99:99Z', [], [[]], [null], {}, { '': '' }, { __proto__: 1 }, { constructor: { prototype: 1 } }, ['a', 'a', 'a'],
];

/** A value which fits the schema as far as types go; of patterns and formats it knows nothing. */
export function sample(schema: Node, random: Random, known: readonly string[], depth = 0): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return pick(random, schema.enum);
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches && branches.length > 0) return sample(pick(random, branches), random, known, depth);
  if (schema.allOf?.[0]) return Object.assign({}, ...schema.allOf.map((part) => sample(part, random, known, depth)));
  const type = Array.isArray(schema.type) ? pick(random, schema.type) : (schema.type ?? (schema.properties ? 'object' : 'string'));
  if (type === 'object') return sampleObject(schema, random, known, depth);
  if (type === 'array') return sampleArray(schema, random, known, depth);
  if (type === 'boolean') return random.chance(0.5);
  if (type === 'integer' || type === 'number') return Math.floor(random.between(schema.minimum ?? 0, (schema.minimum ?? 0) + 50));
  if (type === 'null') return null;
  return random.chance(0.3) && known.length > 0 ? pick(random, known) : `v${Math.floor(random.between(0, 1e6))}`.slice(0, schema.maxLength ?? 300);
}

function sampleObject(schema: Node, random: Random, known: readonly string[], depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    if (schema.required?.includes(name) || (depth < 6 && random.chance(0.5))) out[name] = sample(node, random, known, depth + 1);
  }
  const free = Object.values(schema.patternProperties ?? {})[0];
  if (free && random.chance(0.5)) out[`k${Math.floor(random.between(0, 99))}`] = sample(free, random, known, depth + 1);
  return out;
}

function sampleArray(schema: Node, random: Random, known: readonly string[], depth: number): unknown[] {
  if (depth >= 6) return [];
  const item = Array.isArray(schema.items) ? schema.items[0] : schema.items;
  const count = Math.max(schema.minItems ?? 0, Math.floor(random.between(0, 3)));
  return Array.from({ length: count }, () => sample(item ?? {}, random, known, depth + 1));
}

/** The value with one place of it changed, removed, doubled or made something else. */
export function spoil(value: unknown, random: Random): unknown {
  const inner = typeof value === 'object' && value !== null;
  if (!inner || random.chance(0.15)) return odd(random);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  const key = keys.length === 0 ? undefined : pick(random, keys);
  const at = copy as Record<string, unknown>;
  if (Array.isArray(copy) && random.chance(0.3)) copy.push(odd(random));
  else if (key === undefined || random.chance(0.15)) at[pick(random, ['x', 'id', '__proto__x', 'constructor', 'ü', ' '])] = odd(random);
  else if (random.chance(0.2)) delete at[key];
  else at[key] = spoil(at[key], random);
  return copy;
}

function odd(random: Random): unknown {
  const value = pick(random, ODD);
  return random.chance(0.05) ? nest(value, 60) : value;
}

function nest(value: unknown, depth: number): unknown {
  let out = value;
  for (let at = 0; at < depth; at++) out = at % 2 === 0 ? [out] : { a: out };
  return out;
}

/** A piece of text for a path or a query. */
export function oddText(random: Random): string {
  return String(pick(random, ['~', '0', '-1', 'x'.repeat(300), 'y'.repeat(3000), '..', '%00', '%', '%zz', '٣', 'a b', '\'', 'null', '[]', '1e9', 'in:', 'gt:', 'lt:x', ',', 'asc,desc', '00000000-0000-0000-0000-000000000000']));
}

export { pick };

/** Validation: one TypeBox object is validator, type and OpenAPI; validators are compiled per version band on first use. */
import { type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { type Microversion, pruner, schemaAt, turningPoints } from './microversion.ts';

export interface Problem {
  /** `server.name`; empty for the whole. */
  field: string;
  message: string;
  value: unknown;
  /** The JSON-schema keyword that failed: `required`, `additionalProperties`, `type` … */
  keyword: string;
  params: Record<string, unknown>;
}

/** A schema that may differ between versions, compiled once per band. */
export class VersionedSchema {
  readonly schema: TSchema;
  readonly #turns: Microversion[];
  readonly #validators = new Map<number, Validator>();
  readonly #pruners = new Map<number, ((value: unknown) => void) | undefined>();

  constructor(schema: TSchema) {
    this.schema = schema;
    this.#turns = [...turningPoints(schema)].sort((a, b) => a - b);
  }

  #band(version: Microversion): number {
    let band = 0;
    for (const turn of this.#turns) if (version >= turn) band = turn;
    return band;
  }

  at(version: Microversion): TSchema {
    return this.#turns.length === 0 ? this.schema : (schemaAt(this.schema, version) as TSchema);
  }

  #validator(version: Microversion): Validator {
    const band = this.#band(version);
    let validator = this.#validators.get(band);
    if (!validator) {
      validator = Compile(this.at(version));
      this.#validators.set(band, validator);
    }
    return validator;
  }

  /** The first thing wrong with a value, or undefined. */
  check(value: unknown, version: Microversion = 0): Problem | undefined {
    const validator = this.#validator(version);
    return validator.Check(value) ? undefined : firstProblem(validator, value);
  }

  /** Drops in place what a reply at this version does not have. */
  prune(value: unknown, version: Microversion): void {
    if (this.#turns.length === 0) return;
    const band = this.#band(version);
    if (!this.#pruners.has(band)) this.#pruners.set(band, pruner(this.schema, version));
    this.#pruners.get(band)?.(value);
  }
}

function firstProblem(validator: Validator, value: unknown): Problem {
  // the deepest error says most: "anyOf" of a nullable field is less use than the branch that failed;
  // "schema is false" only repeats an additionalProperties one level up
  const errors = validator.Errors(value).filter((error) => error.keyword !== 'boolean');
  const error = errors.sort((a, b) => depth(b.instancePath) - depth(a.instancePath))[0];
  if (!error) return { field: '', message: 'is not valid', value, keyword: '', params: {} };
  const path = error.instancePath.split('/').slice(1).map(unescapePointer);
  return {
    field: path.join('.'),
    message: error.message,
    value: path.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], value),
    keyword: error.keyword,
    params: error.params as Record<string, unknown>,
  };
}

const depth = (pointer: string): number => pointer.split('/').length;
const unescapePointer = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

/** JSON-schema's `null` beside another type. */
export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** Strings out of a closed list. */
export function oneOf<const T extends string[]>(...values: T) {
  return Type.Union(values.map((value) => Type.Literal(value)) as unknown as [ReturnType<typeof Type.Literal<T[number]>>]);
}

export const uuidString = Type.String({ pattern: '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$' });

const TRUE = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** oslo.utils `bool_from_string`, strict: undefined when it is neither. */
export function booleanFrom(text: string): boolean | undefined {
  const lower = text.trim().toLowerCase();
  return TRUE.has(lower) ? true : FALSE.has(lower) ? false : undefined;
}

type QueryNode = { type?: string; items?: QueryNode };

/**
 * Turns the text of a query string into what its schema says: integers, booleans, lists of repeated parameters.
 * Of a repeated parameter that is no list, the last counts. What does not convert stays text and fails validation.
 */
export function convertQuery(schema: TSchema, query: URLSearchParams): Record<string, unknown> {
  const properties = (schema as { properties?: Record<string, QueryNode> }).properties ?? {};
  const out: Record<string, unknown> = {};
  for (const name of new Set(query.keys())) {
    const node = properties[name];
    const values = query.getAll(name);
    if (node?.type === 'array') out[name] = values.map((value) => convertText(node.items, value));
    else out[name] = convertText(node, values.at(-1)!);
  }
  return out;
}

function convertText(node: QueryNode | undefined, text: string): unknown {
  if (node?.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (node?.type === 'boolean') return booleanFrom(text) ?? text;
  return text;
}

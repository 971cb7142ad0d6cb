/**
 * Microversions as data. A version `2.53` is kept as one integer (2 * 1000 + 53), so that `version >= TAGS_AT_CREATE`
 * reads as it should. Fields and endpoints carry `since`/`until`; only the newest shape has logic.
 */
import type { TSchema } from 'typebox';
import { badRequest, Fault } from '../fault.ts';

export type Microversion = number;

/** `mv('2.53')`. */
export function mv(text: string): Microversion {
  const match = /^(\d+)\.(\d+)$/.exec(text);
  if (!match) throw new Error(`not a microversion: ${text}`);
  return Number(match[1]) * 1000 + Number(match[2]);
}

export function formatVersion(version: Microversion): string {
  return `${Math.floor(version / 1000)}.${version % 1000}`;
}

export interface MicroversionRange {
  /** The word in `OpenStack-API-Version: <word> 2.53`. */
  word: string;
  min: Microversion;
  max: Microversion;
  /** Older header with the bare number, such as `X-OpenStack-Nova-API-Version`. */
  legacyHeader?: string;
  /** The text of 406 and 400, in the service's words. */
  notAcceptable?: (asked: string, range: MicroversionRange) => string;
}

type Headers = Record<string, string | string[] | undefined>;

function asked(range: MicroversionRange, headers: Headers): string | undefined {
  const modern = headers['openstack-api-version'];
  for (const entry of [modern].flat()) {
    for (const part of entry?.split(',') ?? []) {
      const [word, version, ...rest] = part.trim().split(/\s+/);
      if (word?.toLowerCase() === range.word && version !== undefined && rest.length === 0) return version;
    }
  }
  const legacy = range.legacyHeader === undefined ? undefined : headers[range.legacyHeader.toLowerCase()];
  return Array.isArray(legacy) ? legacy[0] : legacy;
}

/** The version a request asks for; the minimum when it does not ask. Faults: 400 unreadable, 406 out of range. */
export function negotiate(range: MicroversionRange, headers: Headers): Microversion {
  const text = asked(range, headers);
  if (text === undefined) return range.min;
  if (text.toLowerCase() === 'latest') return range.max;
  if (!/^\d{1,3}\.(0|[1-9]\d{0,3})$/.test(text)) {
    throw badRequest('api.version-invalid', `API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  const version = mv(text);
  if (version < range.min || version > range.max) {
    const message =
      range.notAcceptable?.(text, range) ??
      `Version ${text} is not supported by the API. Minimum is ${formatVersion(range.min)} and maximum is ${formatVersion(range.max)}.`;
    throw new Fault(406, 'api.version-not-acceptable', message);
  }
  return version;
}

/** Headers that tell the caller which version answered. */
export function versionHeaders(range: MicroversionRange, version: Microversion): Record<string, string> {
  const text = formatVersion(version);
  const headers: Record<string, string> = { 'openstack-api-version': `${range.word} ${text}`, vary: 'OpenStack-API-Version' };
  if (range.legacyHeader !== undefined) {
    headers[range.legacyHeader.toLowerCase()] = text;
    headers['vary'] = `OpenStack-API-Version, ${range.legacyHeader}`;
  }
  return headers;
}

interface Marked {
  'x-since'?: Microversion;
  'x-until'?: Microversion;
}

/** The field exists from this version on. */
export function since<T extends TSchema>(version: Microversion, schema: T): T {
  return { ...schema, 'x-since': version };
}

/** The field exists up to and including this version. */
export function until<T extends TSchema>(version: Microversion, schema: T): T {
  return { ...schema, 'x-until': version };
}

export function existsAt(schema: object, version: Microversion): boolean {
  const { 'x-since': from, 'x-until': to } = schema as Marked;
  return (from === undefined || version >= from) && (to === undefined || version <= to);
}

type Node = Record<string, unknown> & { properties?: Record<string, object>; required?: string[]; items?: object | object[] };

/** Every version at which this schema changes its shape. */
export function turningPoints(schema: object, found: Set<Microversion> = new Set()): Set<Microversion> {
  const marked = schema as Marked;
  if (marked['x-since'] !== undefined) found.add(marked['x-since']);
  if (marked['x-until'] !== undefined) found.add(marked['x-until'] + 1);
  for (const child of children(schema)) turningPoints(child, found);
  return found;
}

function children(schema: object): object[] {
  const node = schema as Node;
  const out: object[] = Object.values(node.properties ?? {});
  for (const key of ['items', 'anyOf', 'oneOf', 'allOf', 'additionalProperties', 'patternProperties'] as const) {
    const value = node[key];
    if (Array.isArray(value)) out.push(...(value as object[]));
    else if (typeof value === 'object' && value !== null) {
      if (key === 'patternProperties') out.push(...Object.values(value as Record<string, object>));
      else out.push(value);
    }
  }
  return out;
}

/** The schema as it is at a version: fields of other versions are gone. */
export function schemaAt(schema: object, version: Microversion): object {
  const node = schema as Node;
  const out: Node = { ...node };
  if (node.properties) {
    const kept = Object.entries(node.properties).filter(([, child]) => existsAt(child, version));
    out.properties = Object.fromEntries(kept.map(([name, child]) => [name, schemaAt(child, version)]));
    if (node.required) out.required = node.required.filter((name) => name in out.properties!);
  }
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
    const list = node[key];
    if (Array.isArray(list)) out[key] = (list as object[]).filter((child) => existsAt(child, version)).map((child) => schemaAt(child, version));
  }
  if (node.items && !Array.isArray(node.items)) out.items = schemaAt(node.items, version);
  for (const key of ['additionalProperties', 'patternProperties'] as const) {
    const value = node[key];
    if (typeof value !== 'object' || value === null) continue;
    out[key] =
      key === 'additionalProperties'
        ? schemaAt(value, version)
        : Object.fromEntries(Object.entries(value as Record<string, object>).map(([name, child]) => [name, schemaAt(child, version)]));
  }
  return out;
}

type Prune = (value: unknown) => void;

/** Drops, in place, the fields that do not exist at a version; undefined when there is nothing to drop. */
export function pruner(schema: object, version: Microversion): Prune | undefined {
  const node = schema as Node;
  const drops: string[] = [];
  const deeper: [string, Prune][] = [];
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (!existsAt(child, version)) drops.push(name);
    else {
      const prune = pruner(child, version);
      if (prune) deeper.push([name, prune]);
    }
  }
  const each = node.items && !Array.isArray(node.items) ? pruner(node.items, version) : undefined;
  const variants = (['anyOf', 'oneOf', 'allOf'] as const)
    .flatMap((key) => (node[key] as object[] | undefined) ?? [])
    .map((child) => pruner(child, version))
    .filter((prune) => prune !== undefined);
  if (drops.length === 0 && deeper.length === 0 && !each && variants.length === 0) return undefined;
  return (value) => {
    if (Array.isArray(value)) {
      if (each) for (const item of value) each(item);
    } else if (typeof value === 'object' && value !== null) {
      const record = value as Record<string, unknown>;
      for (const name of drops) delete record[name];
      for (const [name, prune] of deeper) prune(record[name]);
    }
    for (const prune of variants) prune(value);
  };
}

/** Both dialects of glance's JSON patch, read into one form. */
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/fault.ts';
import type { ImageRow } from '../store/tables.ts';
import { checkWritable, isBase, setAttribute } from './attributes.ts';

export interface PatchStep {
  op: 'add' | 'replace' | 'remove';
  /** Attribute, and for tags a place in the list. */
  path: string[];
  value: unknown;
}

const OPS = ['add', 'replace', 'remove'] as const;

/** @param modern v2.1 (`{op, path, value}`) or else v2.0 (`{replace: path, value}`). Faults: 400. */
export function parsePatch(body: unknown, modern: boolean): PatchStep[] {
  if (!Array.isArray(body)) throw badRequest('image.patch', 'Request body must be a JSON array of operation objects.');
  return body.map((change: unknown) => {
    if (typeof change !== 'object' || change === null || Array.isArray(change)) throw badRequest('image.patch', 'Operations must be JSON objects.');
    const record = change as Record<string, unknown>;
    const step = modern ? modernStep(record) : oldStep(record);
    if (step.op !== 'remove' && !('value' in record)) throw badRequest('image.patch', `Operation "${step.op}" requires a member named "value".`);
    return step;
  });
}

function modernStep(change: Record<string, unknown>): PatchStep {
  if (!('op' in change)) throw badRequest('image.patch', 'Unable to find "op" in JSON Schema change.');
  if (!('path' in change)) throw badRequest('image.patch', 'Unable to find "path" in JSON Schema change.');
  const op = OPS.find((one) => one === change['op']);
  if (!op) throw badRequest('image.patch', `Operations must be one of: ${OPS.join(', ')}.`);
  return { op, path: pointer(change['path']), value: change['value'] };
}

function oldStep(change: Record<string, unknown>): PatchStep {
  const found = OPS.filter((one) => one in change);
  if (found.length !== 1) throw badRequest('image.patch', 'Operation objects must contain exactly one member named "add", "remove", or "replace".');
  return { op: found[0]!, path: pointer(change[found[0]!]), value: change['value'] };
}

function pointer(path: unknown): string[] {
  if (typeof path !== 'string') throw badRequest('image.patch', 'The path of an operation must be a string.');
  if (!path.startsWith('/')) throw badRequest('image.patch', `Pointer \`${path}\` does not start with "/".`);
  if (/\s/.test(path.at(-1)!) || path.includes('//') || path.endsWith('/')) throw badRequest('image.patch', `Pointer \`${path}\` contains an empty part.`);
  if (/~(?![01])/.test(path)) throw badRequest('image.patch', `Pointer \`${path}\` contains "~" not part of a recognized escape sequence.`);
  return path.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * What turns these properties into those. Faults: 403 for the name of an attribute, which has rules of its own
 * (who may publish an image, who owns it).
 */
export function stepsToProperties(old: Readonly<Record<string, string>>, next: Readonly<Record<string, string>>): PatchStep[] {
  const changed = Object.entries(next).filter(([name, value]) => !Object.hasOwn(old, name) || old[name] !== value);
  const taken = changed.find(([name]) => isBase(name));
  if (taken) throw forbidden('image.attribute', `'${taken[0]}' is an attribute of the image: it cannot be a property.`);
  const gone = Object.keys(old).filter((name) => !Object.hasOwn(next, name));
  return [
    ...gone.map((name): PatchStep => ({ op: 'remove', path: [name], value: undefined })),
    ...changed.map(([name, value]): PatchStep => ({ op: 'add', path: [name], value })),
  ];
}

/** Applies steps to a copy of the row, in order; all or nothing. Faults: 400, 403, 409 as glance. */
export function applyPatch(row: ImageRow, steps: readonly PatchStep[]): ImageRow {
  const next = { ...row };
  for (const step of steps) applyStep(next, step);
  return next;
}

function applyStep(row: ImageRow, { op, path, value }: PatchStep): void {
  const [name, ...rest] = path as [string, ...string[]];
  checkWritable(name);
  if (rest.length > 0) return applyToTags(row, name, rest, op, value);
  const properties = JSON.parse(row.properties) as Record<string, string>;
  if (op !== 'add' && !isBase(name) && !Object.hasOwn(properties, name)) {
    throw conflict('image.property-missing', `Property ${name} does not exist.`);
  }
  if (op !== 'remove') return setAttribute(row, name, value);
  if (isBase(name)) throw conflict('image.property-base', `Property ${name} may not be removed.`);
  delete properties[name];
  row.properties = JSON.stringify(properties);
}

function applyToTags(row: ImageRow, name: string, rest: string[], op: PatchStep['op'], value: unknown): void {
  if (name !== 'tags' || rest.length !== 1) throw badRequest('image.patch', `Invalid JSON pointer for this resource: '/${[name, ...rest].join('/')}'`);
  const tags = JSON.parse(row.tags) as string[];
  const at = rest[0] === '-' ? tags.length : Number(rest[0]);
  if (!Number.isInteger(at) || at > tags.length) throw notFound('image.patch', `There is no tag at ${rest[0]}.`);
  if (op === 'add') tags.splice(at, 0, value as string);
  else if (op === 'replace') tags[at] = value as string;
  else tags.splice(at, 1);
  setAttribute(row, 'tags', tags);
}

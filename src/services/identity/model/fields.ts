/** Resources carry fields that we do not know: they are kept as given. */
import { badRequest } from '../../../kernel/fault.ts';
import { notAllowed } from '../faults.ts';

export type Fields = Record<string, unknown>;

/** What of a body belongs to no column, as text. @param before the text to merge into. */
export function extraOf(body: Fields, known: readonly string[], before = '{}'): string {
  const kept = JSON.parse(before) as Fields;
  for (const [key, value] of Object.entries(body)) {
    if (!known.includes(key)) kept[key] = value;
  }
  const text = JSON.stringify(kept);
  if (text.length > 65_535) throw badRequest('identity.extra-too-large', 'The additional properties are too large.');
  return text;
}

export function parseFields(text: string): Fields {
  return JSON.parse(text) as Fields;
}

/** Options given as null go. */
export function mergeOptions(before: string, changes: unknown): string {
  const merged = { ...parseFields(before), ...(changes as Fields | undefined) };
  return JSON.stringify(Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)));
}

/** Refuses to change what is immutable, unless the change is to make it mutable. */
export function assertMutable(kind: string, row: { id: string; options: string }, update?: Fields): void {
  if (parseFields(row.options)['immutable'] !== true) return;
  const asked = (update?.['options'] as Fields | undefined)?.['immutable'];
  if (update !== undefined && (asked === false || asked === null)) return;
  const what = update === undefined ? 'delete' : 'update';
  throw notAllowed('immutable', `Unable to ${what} immutable ${kind} resource: \`${row.id}. Set resource option "immutable" to false first.`);
}

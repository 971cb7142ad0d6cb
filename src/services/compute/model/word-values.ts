/** Values of metadata that are more than text. Each throws a Fault 400 that names its key. Pure. */
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';

const MINUTE = 60_000;

/** `30s`, `500ms`, `1m30s`, as Docker writes them. @returns ms */
export function duration(value: string, key: string, least: number): number {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const units: Record<string, number> = { ms: 1, s: 1000, m: MINUTE, h: 60 * MINUTE };
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0);
  const whole = parts.length > 0 && parts.map(([text]) => text).join('') === value;
  if (!whole || ms < least || ms > 24 * 60 * MINUTE) throw refused(key, `must be a time from ${least / 1000}s to 24h, such as "30s" or "1m30s"`);
  return Math.round(ms);
}

/** @throws Fault 400 */
export function wordArray(text: string, key: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every((word) => typeof word === 'string' && !word.includes('\0'))) {
    throw refused(key, 'must be a JSON array of strings, such as ["sleep","60"]');
  }
  return value as string[];
}

export function flag(value: string, key: string): boolean {
  const found = booleanFrom(value);
  if (found === undefined) throw refused(key, 'must be "true" or "false"');
  return found;
}

export function integer(value: string, key: string, least: number, most: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw refused(key, `must be a whole number from ${least} to ${most}`);
  return number;
}

export function matching(value: string, key: string, pattern: RegExp, what: string): string {
  if (!pattern.test(value)) throw refused(key, `must be ${what}`);
  return value;
}

export function absolutePath(value: string, key: string): string {
  if (!value.startsWith('/') || value.includes('\0') || value.split('/').includes('..')) throw refused(key, 'must be an absolute path without ".."');
  return value;
}

export function nonEmpty(value: string, key: string): string {
  if (value.trim() === '') throw refused(key, 'must not be empty');
  return value;
}

export function refused(key: string, why: string): Error {
  return badRequest('compute.metadata-invalid', `Invalid metadata: "${key}" ${why}.`);
}

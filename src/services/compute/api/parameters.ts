/** Nova's common parameter types. */
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/fault.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';

const CONTROL = '\\x00-\\x1f\\x7f-\\x9f';
/** Printable, no white space at either end. */
export const nameText = Type.String({ minLength: 1, maxLength: 255, pattern: `^[^\\s${CONTROL}](?:[^${CONTROL}]*[^\\s${CONTROL}])?$` });
export const descriptionText = Type.Union([Type.String({ maxLength: 255, pattern: `^[^${CONTROL}]*$` }), Type.Null()]);
export const metadataMap = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9_:. -]{1,255}$' }), Type.String({ maxLength: 255 }), { additionalProperties: false });
export const tagText = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' });
export const MAX_TAGS = 50;
export const hostText = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' });
export const hostnameText = Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' });
export const ipv4Text = Type.String({ format: 'ipv4' });
export const ipv6Text = Type.String({ format: 'ipv6' });
export const ipText = Type.Union([ipv4Text, ipv6Text]);
/** The short form of an IPv6 address that its schema has let through. */
export const shortIpv6 = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1);
export const diskConfig = Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')]);

const BOOLEANS = [
  true, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes',
  false, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no',
] as const;
export const looseBoolean = Type.Unsafe<boolean | string>({ enum: [...BOOLEANS] });
export const asBoolean = (value: boolean | string): boolean => (typeof value === 'boolean' ? value : (booleanFrom(value) ?? false));

export const positiveInteger = Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^0*[1-9][0-9]{0,8}$' })]);
export const nonNegativeText = Type.Unsafe<number | string>({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string', pattern: '^[0-9]+$' }] });

export const link = Type.Object({ rel: Type.String(), href: Type.String() });

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Nova's test for base64: white space does not count. */
export function isBase64(text: string): boolean {
  const plain = text.replaceAll(/\s/g, '');
  return plain.length % 4 === 0 && BASE64.test(plain);
}

/** An instant of a query, as the rows hold it. @throws Fault 400 */
export function instant(text: string, name: string): string {
  const iso = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text.trim());
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text.trim()) && /[T ]/.test(text);
  const at = iso ? Date.parse(zoned ? text.trim().replace(' ', 'T') : /[T ]/.test(text) ? `${text.trim().replace(' ', 'T')}Z` : text.trim()) : Number.NaN;
  if (Number.isNaN(at)) throw badRequest('compute.query-invalid', `Invalid input for query parameters ${name}. Value: ${text}. '${text.slice(0, 100)}' is not a 'date-time'`);
  return `${new Date(at).toISOString().slice(0, -1)}000Z`;
}

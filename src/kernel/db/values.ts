/** What both dialects bind: booleans as 0/1 and instants as ISO text, so that rows read the same on either. */
export type Bound = null | number | bigint | string | Uint8Array;

export function bindable(value: unknown): Bound {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
      return value;
    case 'boolean':
      return value ? 1 : 0;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      if (value instanceof Date) return value.toISOString();
      throw new TypeError(`can't bind ${value === undefined ? 'undefined' : describe(value)} to a query: text, numbers, null or bytes only`);
  }
}

function describe(value: unknown): string {
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

export function bindAll(values: readonly unknown[]): Bound[] {
  return values.map(bindable);
}

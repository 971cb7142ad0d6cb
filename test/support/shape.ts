/**
 * What an answer looks like, whatever it says: each path in it with the type at its end. `server.links[].href` is a `string`; other types are
 * `string uuid`, `string Z` (a time with its zone), `string µs` (a time with six digits and no zone), `string s` (a time with neither), `number`, `boolean`,
 * `null`, `{}` and `[]` (nothing in it); several are joined by `|`. A key that only some items of an array have is followed by `?`.
 */
export type Shape = Record<string, string>;

/** Whoever writes into these chooses the keys: `*` stands for all of them. */
const FREE = new Set(['metadata', 'meta', 'extra_specs', 'addresses', 'properties', 'scheduler_hints', 'hosts', 'cpu_info', 'cpu_pinning', 'log']);

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6})?(Z)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'string') return typeof value;
  const time = TIME.exec(value);
  if (time !== null) return time[2] === 'Z' ? 'string Z' : time[1] === undefined ? 'string s' : 'string µs';
  return UUID.test(value) ? 'string uuid' : 'string';
}

export function shapeOf(value: unknown, path = ''): Shape {
  if (Array.isArray(value)) return value.length === 0 ? { [path]: '[]' } : allOf(value.map((item) => shapeOf(item, `${path}[]`)));
  if (typeof value !== 'object' || value === null) return { [path]: typeOf(value) };
  const entries = Object.entries(value);
  if (entries.length === 0) return { [path]: '{}' };
  const inside = path === '' ? '' : `${path}.`;
  if (FREE.has(path.slice(path.lastIndexOf('.') + 1))) return allOf(entries.map(([, child]) => shapeOf(child, `${inside}*`)));
  return Object.assign({}, ...entries.map(([key, child]) => shapeOf(child, inside + key))) as Shape;
}

/** What several things of one kind have in common, and what only some have. */
function allOf(shapes: readonly Shape[]): Shape {
  const paths = new Set(shapes.flatMap((shape) => Object.keys(shape).map((path) => path.replace(/\?$/, ''))));
  return Object.fromEntries([...paths].map((path) => {
    const types = shapes.map((shape) => shape[path]);
    const found = new Set(shapes.flatMap((shape) => (shape[path] ?? shape[`${path}?`])?.split('|') ?? []));
    return [types.includes(undefined) ? `${path}?` : path, [...found].sort().join('|')];
  }));
}

const strip = (shape: Shape): Map<string, string> => new Map(Object.entries(shape).map(([path, type]) => [path.replace(/\?$/, ''), type]));
const words = (type: string): string[] => [...new Set(type.split('|').filter((word) => word !== 'null').map((word) => (word === 'string uuid' ? 'string' : word)))];

/** Nothing can be said of what would be inside of this path, because nothing is there. */
function hollow(path: string, shape: ReadonlyMap<string, string>): boolean {
  for (let at = path.length; at > 0; at = Math.max(path.lastIndexOf('.', at - 1), path.lastIndexOf('[', at - 1))) {
    const type = shape.get(path.slice(0, at));
    if (type !== undefined && type.split('|').some((word) => word === '[]' || word === '{}' || word === 'null')) return true;
  }
  return false;
}

/** Where an answer differs from what it should be: `missing server.id`, `extra server.colour`, `server.created: string s for string Z`. */
export function differences(ours: Shape, theirs: Shape): string[] {
  const [mine, wanted] = [strip(ours), strip(theirs)];
  const missing = Object.keys(theirs).filter((path) => !path.endsWith('?') && !mine.has(path) && !hollow(path, mine) && ![...mine.keys()].some((other) => inside(other, path)));
  const extra = [...mine.keys()].filter((path) => !wanted.has(path) && !hollow(path, wanted) && ![...wanted.keys()].some((other) => inside(other, path)));
  const other = [...mine].flatMap(([path, type]) => {
    const right = wanted.get(path);
    if (right === undefined || right === type) return [];
    const [is, may] = [words(type), words(right)];
    // a null among the samples, or here, says nothing of the type
    return is.length === 0 || may.length === 0 || is.every((word) => may.includes(word) || word === '[]' || word === '{}') ? [] : [`${path}: ${type} for ${right}`];
  });
  return [...missing.map((path) => `missing ${path}`), ...extra.map((path) => `extra ${path}`), ...other];
}

/** An empty list or object stands where the other has something in it. */
const inside = (path: string, outer: string): boolean => path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);

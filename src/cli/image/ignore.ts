/** What `.dockerignore` leaves out of a build: patterns of Go's filepath.Match with `**`, the last that fits decides. Pure. */

export interface Ignore {
  /** @param path relative to the context, with `/`. */
  excludes(path: string): boolean;
  /** Whether something below an excluded folder may be taken in again. */
  mayHoldExceptions: boolean;
}

interface Rule {
  pattern: RegExp;
  exclude: boolean;
}

/** @throws Error on a pattern that is none. */
export function parseIgnore(text: string): Ignore {
  const rules = text.replace(/^\uFEFF/, '').split('\n').flatMap(ruleOf);
  return {
    mayHoldExceptions: rules.some((rule) => !rule.exclude),
    excludes(path) {
      let excluded = false;
      for (const rule of rules) if (rule.exclude !== excluded && rule.pattern.test(path)) excluded = rule.exclude;
      return excluded;
    },
  };
}

function ruleOf(line: string): Rule[] {
  if (line.startsWith('#')) return [];
  const trimmed = line.trim();
  const exclude = !trimmed.startsWith('!');
  const parts = trimmed.slice(exclude ? 0 : 1).trim().split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0) return [];
  return [{ pattern: new RegExp(`^${sourceOf(parts)}(/.*)?$`, 's'), exclude }];
}

function sourceOf(parts: string[]): string {
  const path = parts.join('/');
  let source = '';
  for (let at = 0; at < path.length; at += 1) {
    const char = path[at]!;
    if (path.startsWith('**', at)) {
      while (path[at + 1] === '*') at += 1;
      // `**/` is any number of folders, none of them too.
      if (path[at + 1] === '/') {
        at += 1;
        source += '(.*/)?';
      } else source += '.*';
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const end = path.indexOf(']', at + 2);
      if (end === -1) throw new Error(`the pattern ${path} has an open [`);
      source += `[${path.slice(at + 1, end).replaceAll('\\', '\\\\')}]`;
      at = end;
    } else if (char === '\\' && at + 1 < path.length) source += escapeRegExp(path[++at]!);
    else source += escapeRegExp(char);
  }
  return source;
}

const escapeRegExp = (char: string): string => char.replace(/[.*+?^${}()|[\]\\/]/, '\\$&');

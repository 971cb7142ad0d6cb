/** Names of the distribution protocol, and the scopes that tokens grant. */
import { badRequest } from '../../../../kernel/fault.ts';

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^sha256:([0-9a-f]{64})$/;
const MAX_NAME = 255;

/** One thing that a token allows: `repository:demo/hello:pull,push`. */
export interface Scope {
  type: string;
  name: string;
  actions: string[];
}

export interface RepositoryName {
  /** As the project is called. */
  project: string;
  /** Below it, with slashes. */
  name: string;
}

/** `demo/team/hello`: the first part is a project. Faults: 400. */
export function parseRepository(text: string): RepositoryName {
  const at = text.indexOf('/');
  const [project, name] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || text.length > MAX_NAME || !name.split('/').every((part) => COMPONENT.test(part))) {
    throw badRequest('registry.name-invalid', 'A repository is called <project>/<name>, in lower case.', { type: 'NAME_INVALID', detail: { name: text.slice(0, MAX_NAME) } });
  }
  return { project, name };
}

export const isRepositoryPart = (name: string): boolean => name.split('/').every((part) => COMPONENT.test(part));

export const isTag = (text: string): boolean => TAG.test(text);

/** Hex, without `sha256:`. Faults: 400. */
export function parseDigest(text: string): string {
  const hex = DIGEST.exec(text)?.[1];
  if (hex === undefined) throw badRequest('registry.digest-invalid', 'A digest is sha256: and 64 hexadecimal digits in lower case.', { type: 'DIGEST_INVALID', detail: { digest: text.slice(0, 200) } });
  return hex;
}

const PARTS = /^(\/v2\/)(.+)(\/(?:blobs\/uploads(?:\/[^/]*)?|blobs\/[^/]+|manifests\/[^/]+|tags\/list|referrers\/[^/]+))$/;

/** The name of a repository has slashes of its own: as one part of the path. */
export function rewritePath(path: string): string {
  const [, prefix, name, rest] = PARTS.exec(path) ?? [];
  return name === undefined ? path : `${prefix}${encodeURIComponent(decodeSafely(name))}${rest}`;
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a call needs; undefined: any token will do. */
export function scopeOf(method: string, path: string): Scope | undefined {
  if (/^\/v2\/_catalog$/.test(path)) return { type: 'registry', name: 'catalog', actions: ['*'] };
  const [, , name] = PARTS.exec(path) ?? [];
  if (name === undefined) return undefined;
  const actions = method === 'GET' || method === 'HEAD' ? (/\/blobs\/uploads\/[^/]*$/.test(path) ? ['pull', 'push'] : ['pull']) : method === 'DELETE' && !/\/blobs\/uploads\//.test(path) ? ['delete'] : ['pull', 'push'];
  return { type: 'repository', name: decodeSafely(name), actions };
}

export const scopeText = ({ type, name, actions }: Scope): string => `${type}:${name}:${actions.join(',')}`;

/** `repository:demo/hello:pull,push`, several with spaces between. What is not understood is left out. */
export function parseScopes(texts: readonly string[]): Scope[] {
  return texts.flatMap((text) => text.split(' ')).flatMap((text) => {
    const first = text.indexOf(':');
    const last = text.lastIndexOf(':');
    if (first < 1 || last <= first) return [];
    const type = text.slice(0, first).replace(/\(.*\)$/, '');
    return [{ type, name: text.slice(first + 1, last), actions: text.slice(last + 1).split(',').filter((action) => action !== '') }];
  });
}

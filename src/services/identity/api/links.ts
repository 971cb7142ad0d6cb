import type { PathCall } from '../../../kernel/api/endpoint.ts';
import type { Identity } from '../model/identity.ts';

type Request = Pick<PathCall, 'base' | 'url'>;

/** `http://host:5000`, as set or as the caller asked. */
export function originOf(identity: Identity, call: Request): string {
  return identity.public_url === '' ? call.base.replace(/\/identity$/, '') : identity.public_url;
}

/** `http://host:5000/identity/v3`. */
export function v3Of(identity: Identity, call: Request): string {
  return `${originOf(identity, call)}/identity/v3`;
}

/** The absolute URL of this very request. */
export function selfOf(identity: Identity, call: Request): string {
  return `${originOf(identity, call)}${call.url.pathname}${call.url.search}`;
}

import type { AnyCall } from '../../../kernel/api/endpoint.ts';
import type { Identity } from '../model/identity.ts';
import type { SignedRequest } from '../model/oauth1-signature.ts';
import { selfOf } from './links.ts';

/** The call as its sender may have signed it: by the name under which they asked for us, or by the one we are known as. */
export function signedRequest(identity: Identity, call: AnyCall, method: string): SignedRequest {
  const asked = `${new URL(call.base).origin}${call.url.pathname}${call.url.search}`;
  return { method, urls: [...new Set([asked, selfOf(identity, call)])], authorization: call.headers.authorization };
}

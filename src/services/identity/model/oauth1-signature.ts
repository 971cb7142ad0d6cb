/** Signatures of OAuth 1.0a, RFC 5849 §3: who signed knows the secret, and the request is as it was signed. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { percentEncode } from './percent-encode.ts';

type Pair = readonly [name: string, value: string];

/** A request as far as it is signed. */
export interface SignedRequest {
  method: string;
  /** With its query; several where the caller may know us by another name than a proxy does. */
  urls: readonly string[];
  /** The header. */
  authorization: string | undefined;
}

/** The parameters of the header, decoded; undefined when it is no such header, or names one of them twice. */
export function readAuthorization(header: string | undefined): ReadonlyMap<string, string> | undefined {
  const list = /^OAuth\s+(.*)$/is.exec(header ?? '')?.[1];
  if (list === undefined) return undefined;
  const parameters = new Map<string, string>();
  for (const part of list.split(',')) {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*"([^"]*)"\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined || parameters.has(name)) return undefined;
    try {
      parameters.set(decodeURIComponent(name), decodeURIComponent(value));
    } catch {
      return undefined;
    }
  }
  return parameters;
}

/** Names sort by their bytes once encoded, and so do values of one name. */
function normalized(parameters: readonly Pair[]): string {
  return parameters
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const DIGESTS: Readonly<Record<string, string>> = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256' };

export function isSignatureMethod(name: string): boolean {
  return Object.hasOwn(DIGESTS, name);
}

function signature(method: string, url: URL, parameters: readonly Pair[], digest: string, key: string): Buffer {
  const base = [method.toUpperCase(), `${url.origin}${url.pathname}`, normalized([...parameters, ...url.searchParams])].map(percentEncode).join('&');
  return createHmac(digest, key).update(base).digest();
}

/** @param token_secret '' where there is no token yet */
export function isSigned(request: SignedRequest, parameters: ReadonlyMap<string, string>, client_secret: string, token_secret: string): boolean {
  const digest = DIGESTS[parameters.get('oauth_signature_method') ?? ''];
  if (digest === undefined) return false;
  const given = Buffer.from(parameters.get('oauth_signature') ?? '', 'base64');
  const signed = [...parameters].filter(([name]) => name !== 'realm' && name !== 'oauth_signature');
  const key = `${percentEncode(client_secret)}&${percentEncode(token_secret)}`;
  return request.urls.some((url) => {
    const right = signature(request.method, new URL(url), signed, digest, key);
    return right.length === given.length && timingSafeEqual(right, given);
  });
}

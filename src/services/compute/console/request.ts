/** What the request for a WebSocket says of its caller. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import type { SocketRequest } from '../../../kernel/http/sockets.ts';

/** In the URL, or where noVNC's pages put it. */
export function tokenOf({ url, headers }: Pick<SocketRequest, 'url' | 'headers'>): string {
  return url.searchParams.get('token') ?? /(?:^|;\s*)token=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? '';
}

/** Clients that are no browser send no origin. @param allowed hosts without a port. */
export function mayOpenFrom(headers: IncomingHttpHeaders, allowed: readonly string[]): boolean {
  const { origin } = headers;
  if (origin === undefined) return true;
  const from = hostOf(origin);
  const forwarded = headers['x-forwarded-host'];
  const own = [headers.host, typeof forwarded === 'string' ? forwarded : undefined].map((host) => hostOf(`http://${host ?? ''}`));
  return from !== undefined && (own.includes(from) || allowed.includes(from));
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

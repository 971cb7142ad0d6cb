import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { Fault, unavailable } from '../fault.ts';

export interface FetchOptions {
  signal?: AbortSignal;
}

/** Silence that ends a download; long, since whoever reads it may pause too. */
const STALL_MS = 120_000;

/**
 * GET from the controller, signed by the node. @returns the body of a 200.
 * @throws Fault 503 `bus.controller-unavailable`, or `bus.fetch-failed` with the controller's status.
 */
export async function fetchFromController(
  origin: string,
  path: string,
  authorization: string,
  ca: Buffer | undefined,
  options: FetchOptions,
): Promise<Readable> {
  const url = new URL(path, origin);
  if (!path.startsWith('/') || url.origin !== origin) throw new Error(`the path ${path} does not lead to the controller`);
  const response = await get(url, authorization, ca, options);
  if (response.statusCode === 200) return response;
  response.resume();
  const status = response.statusCode ?? 502;
  throw new Fault(status >= 400 && status <= 599 ? status : 502, 'bus.fetch-failed', `The controller answered ${status} to GET ${url.pathname}.`, {
    retryable: status >= 500,
  });
}

function get(url: URL, authorization: string, ca: Buffer | undefined, { signal }: FetchOptions): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      { headers: { authorization }, ...(ca !== undefined && { ca }), ...(signal !== undefined && { signal }) },
      resolve,
    );
    request.setTimeout(STALL_MS, () => request.destroy(new Error(`nothing came for ${STALL_MS} ms`)));
    request.on('error', (cause) => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else reject(unavailable('bus.controller-unavailable', 'The controller can’t be reached.', { retryable: true, cause }));
    });
    request.end();
  });
}

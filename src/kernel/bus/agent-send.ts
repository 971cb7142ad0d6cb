import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault, unavailable } from '../fault.ts';
import type { FetchOptions } from './agent-fetch.ts';

/** Silence that ends an upload. */
const STALL_MS = 120_000;
const MAX_REPLY_BYTES = 1 << 20;

/**
 * PUT to the controller, signed by the node; a body that breaks off is never whole for the controller. @returns the JSON of a 2xx.
 * @throws Fault 503 `bus.controller-unavailable`, or `bus.send-failed` with the controller's status; what the body fails with.
 */
export async function sendToController(
  origin: string,
  path: string,
  authorization: string,
  ca: Buffer | undefined,
  body: Readable,
  { signal }: FetchOptions,
): Promise<unknown> {
  const url = new URL(path, origin);
  if (!path.startsWith('/') || url.origin !== origin) throw new Error(`the path ${path} does not lead to the controller`);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = { authorization, 'content-type': 'application/octet-stream' };
  const request = send(url, { method: 'PUT', headers, ...(ca !== undefined && { ca }), ...(signal !== undefined && { signal }) });
  request.setTimeout(STALL_MS, () => request.destroy(new Error(`nothing moved for ${STALL_MS} ms`)));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  answered.catch(() => {});
  const sent = pipeline(body, request);
  sent.catch(() => {});
  let response: IncomingMessage;
  try {
    // It may refuse before it has read all of it.
    response = await Promise.race([answered, sent.then(() => answered)]);
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    if (body.errored !== null && body.errored !== undefined && !isOfTheLink(body.errored)) throw body.errored;
    throw unavailable('bus.controller-unavailable', 'The controller can’t be reached.', { retryable: true, cause });
  }
  const text = await readText(response);
  const status = response.statusCode ?? 502;
  if (status >= 200 && status < 300) return JSON.parse(text) as unknown;
  request.destroy();
  throw new Fault(status >= 400 && status <= 599 ? status : 502, 'bus.send-failed', `The controller answered ${status} to PUT ${url.pathname}.`, { retryable: status >= 500 && status !== 507 });
}

/** What `pipeline` gives to the body when the request broke. */
function isOfTheLink(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE';
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > MAX_REPLY_BYTES) throw new Error('the answer of the controller is too long');
  }
  return text;
}

import type { IncomingMessage } from 'node:http';
import { badRequest, Fault, tooLarge, unsupportedMediaType } from '../fault.ts';

/** JSON bodies are small: who needs longer for one only holds a connection. */
const PATIENCE_MS = 60_000;
/** What is nested deeper would end the stack of whatever walks through it. */
const MAX_DEPTH = 100;

/** Reads a JSON body. Faults: 413 over the limit, 415 another media type, 400 not JSON or cut off, 408 too slow. Undefined: no body. */
export async function readJson(request: IncomingMessage, limit: number, mediaTypes: readonly string[], patience_ms = PATIENCE_MS): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge('api.body-too-large', 'Request is too large.');
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  const bytes = await readBytes(request, limit, patience_ms);
  if (bytes.length === 0) return undefined;
  if (type !== undefined && type !== '' && type !== 'application/json' && !mediaTypes.includes(type)) {
    throw unsupportedMediaType('api.media-type', `Unsupported Content-Type ${type}`);
  }
  if (isDeep(bytes)) throw badRequest('api.body-too-deep', 'Malformed request body: it is nested too deeply.');
  const text = bytes.toString('utf8');
  const value = parse(text);
  if (UNSTORABLE.test(text) && !isStorable(value)) throw badRequest('api.body-not-text', 'Malformed request body: a text in it is not valid Unicode or holds a NUL character.');
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw badRequest('api.body-not-json', 'Malformed request body: it is not valid JSON.', { cause });
  }
}

/** How JSON writes halves of surrogate pairs and NUL: only where one of these is need anybody look at each text. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/i;

/** Databases keep neither: SQLite gives back another text than it was given, PostgreSQL refuses. */
function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner));
}

function readBytes(request: IncomingMessage, limit: number, patience_ms: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const done = (fault?: Fault): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      if (fault === undefined) resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      else reject(fault);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > limit) done(tooLarge('api.body-too-large', 'Request is too large.'));
    };
    const onEnd = (): void => done();
    const onCut = (): void => {
      request.on('error', () => {});
      done(badRequest('api.body-cut-off', 'The request ended in the middle of its body.'));
    };
    const timer = setTimeout(() => done(new Fault(408, 'api.body-too-slow', 'The body of the request did not come in time.', { headers: { connection: 'close' } })), patience_ms);
    request.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  });
}

/** Counts the brackets outside of texts; whether they pair is the parser's business. */
function isDeep(bytes: Buffer): boolean {
  let depth = 0;
  let text = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x22) text = !text;
    else if (text) at += byte === 0x5c ? 1 : 0;
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

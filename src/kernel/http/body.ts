import type { IncomingMessage } from 'node:http';
import { badRequest, tooLarge, unsupportedMediaType } from '../fault.ts';

/** Reads a JSON body. Faults: 413 over the limit, 415 another media type, 400 not JSON. Undefined: no body. */
export async function readJson(request: IncomingMessage, limit: number, mediaTypes: readonly string[]): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge('api.body-too-large', 'Request is too large.');
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  const bytes = await readBytes(request, limit);
  if (bytes.length === 0) return undefined;
  if (type !== undefined && type !== '' && type !== 'application/json' && !mediaTypes.includes(type)) {
    throw unsupportedMediaType('api.media-type', `Unsupported Content-Type ${type}`);
  }
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw badRequest('api.body-not-json', 'Malformed request body: it is not valid JSON.', { cause });
  }
}

async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > limit) throw tooLarge('api.body-too-large', 'Request is too large.');
    chunks.push(chunk as Buffer);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

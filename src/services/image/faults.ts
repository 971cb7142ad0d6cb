/** Glance answers in the media type that the caller accepts: webob's templates. */
import { STATUS_CODES } from 'node:http';
import { badRequest, conflict, type Fault, forbidden, notFound } from '../../kernel/fault.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';

export function formatFault(fault: Fault, request: FaultRequest): WireFault {
  const title = STATUS_CODES[fault.status] ?? 'Error';
  const accept = request.accept;
  if (accept === undefined || accept === '') {
    return { contentType: 'text/plain; charset=UTF-8', body: `${fault.status} ${title}\n\n${fault.message}\n\n   ` };
  }
  if (accept.includes('json')) {
    const body = { message: `${escapeHtml(fault.message)}<br /><br />\n\n\n`, code: `${fault.status} ${title}`, title };
    return { contentType: 'application/json; charset=UTF-8', body: JSON.stringify(body) };
  }
  return {
    contentType: 'text/html; charset=UTF-8',
    body: `<html>\n <head>\n  <title>${fault.status} ${title}</title>\n </head>\n <body>\n  <h1>${fault.status} ${title}</h1>\n  ${escapeHtml(fault.message)}<br /><br />\n\n\n </body>\n</html>`,
  };
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (char) => ENTITIES[char]!);
}

export const imageNotFound = (id: string): Fault => notFound('image.not-found', `Failed to find image ${id}`);
export const markerNotFound = (marker: string | undefined): Fault => badRequest('image.marker', `Marker ${marker} could not be found.`);
export const readOnly = (name: string): Fault => forbidden('image.read-only', `Attribute '${name}' is read-only.`);
export const reserved = (name: string): Fault => forbidden('image.reserved', `Attribute '${name}' is reserved.`);
export const wrongState = (id: string, from: string, to: string): Fault =>
  conflict('image.wrong-state', `Image ${id} cannot go from ${from} to ${to}.`);

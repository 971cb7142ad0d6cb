import { requestId } from '../ids.ts';

const GLOBAL_ID = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A fresh id for this request, and the caller's own if it sent a well-formed one (it flows to logs, tasks and actions). */
export function requestIds(header: string | string[] | undefined): { own: string; global: string | undefined } {
  const text = Array.isArray(header) ? header[0] : header;
  return { own: requestId(), global: text !== undefined && GLOBAL_ID.test(text) ? text : undefined };
}

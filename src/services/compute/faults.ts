import type { Problem } from '../../kernel/api/schema.ts';
import { badRequest, type Fault } from '../../kernel/fault.ts';
import { describe } from '../../kernel/http/faults.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';

const NAMES: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** Nova's error body: `{ "itemNotFound": { "code": 404, "message": … } }`, `computeFault` for what has no name of its own. */
export function formatFault(fault: Fault, _request: FaultRequest): WireFault {
  const name = NAMES[fault.status] ?? 'computeFault';
  const retry = fault.headers['retry-after'];
  const body = { code: fault.status, message: fault.message, ...(retry === undefined ? {} : { retryAfter: retry }) };
  return { contentType: 'application/json; charset=UTF-8', body: JSON.stringify({ [name]: body }) };
}

/** Nova's words for input that does not fit its schema. */
export function invalidInput(problem: Problem, where: 'body' | 'query'): Fault {
  const message = describe(problem);
  if (problem.field === '') return badRequest(`api.${where}-invalid`, message);
  const value = JSON.stringify(problem.value)?.slice(0, 200);
  const what = where === 'query' ? 'query parameters' : 'field/attribute';
  return badRequest(`api.${where}-invalid`, `Invalid input for ${what} ${problem.field.replace(/\.\d+$/, '')}. Value: ${value}. ${message}`);
}

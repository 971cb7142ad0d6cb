/** Errors as keystone words and wraps them. */
import { badRequest, conflict, forbidden, notFound, unauthorized, type Fault } from '../../kernel/fault.ts';
import type { Problem } from '../../kernel/api/schema.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';
import { describe } from '../../kernel/http/faults.ts';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict', 410: 'Gone',
  413: 'Request Entity Too Large', 415: 'Unsupported Media Type', 429: 'Too Many Requests', 500: 'Internal Server Error',
  501: 'Not Implemented', 503: 'Service Unavailable',
};

export function formatFault(fault: Fault, request: FaultRequest): WireFault {
  const policy = /^Policy doesn't allow (.+) to be performed\.$/.exec(fault.message);
  const message = policy === null ? fault.message : `You are not authorized to perform the requested action: ${policy[1]}.`;
  const body = JSON.stringify({ error: { code: fault.status, message, title: TITLES[fault.status] ?? 'Error' } });
  const headers: Record<string, string> = { vary: 'X-Auth-Token' };
  if (fault.status === 401) headers['www-authenticate'] = `Keystone uri="${request.base}/v3"`;
  return { contentType: 'application/json', body, headers };
}

export function invalid(problem: Problem, where: 'body' | 'query'): Fault {
  const field = problem.field === '' ? where : problem.field.replaceAll('.', '/');
  return badRequest(`identity.${where}-invalid`, `Invalid input for field '${field}': ${describe(problem)}`);
}

/** A problem that a schema can't tell. */
export function invalidField(field: string, message: string): Fault {
  return badRequest('identity.body-invalid', `Invalid input for field '${field}': ${message}`);
}

/** Keystone's words for what a request lacks. */
export function missing(attribute: string, target: string): Fault {
  return badRequest(
    'identity.malformed',
    `Expecting to find ${attribute} in ${target}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
  );
}

/** 401 that does not say what was wrong. */
export function denied(): Fault {
  return unauthorized('auth.required', 'The request you have made requires authentication.');
}

export function noToken(): Fault {
  return notFound('identity.token-not-found', 'Failed to validate token');
}

export function noSuch(kind: string, id: string): Fault {
  return notFound(`identity.${kind.replaceAll(' ', '-')}-not-found`, `Could not find ${kind}: ${id}.`);
}

export function taken(kind: string, details: string): Fault {
  return conflict(`identity.${kind.replaceAll(' ', '-')}-exists`, `Conflict occurred attempting to store ${kind} - ${details}.`);
}

export function notAllowed(code: string, message: string): Fault {
  return forbidden(`identity.${code}`, message);
}

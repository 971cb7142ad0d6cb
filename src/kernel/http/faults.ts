import type { FaultRequest, Surface, WireFault } from '../service.ts';
import { badRequest, Fault, isFault } from '../fault.ts';
import type { Problem } from '../api/schema.ts';
import type { Log } from '../log/log.ts';

/** What keystonemiddleware answers for every service when a token is missing or bad. */
export function middlewareUnauthorized(authUrl: string): WireFault {
  return {
    contentType: 'application/json',
    body: JSON.stringify({
      error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
    }),
    headers: { 'www-authenticate': `Keystone uri="${authUrl}"` },
  };
}

/** Whatever was thrown, as a Fault; what is not one goes to the log and becomes a bare 500. */
export function toFault(error: unknown, log: Log): Fault {
  if (isFault(error)) {
    if (error.status >= 500) log.error({ err: error, code: error.code }, 'fault');
    else if (error.cause !== undefined) log.info({ err: error, code: error.code }, 'fault');
    return error;
  }
  log.error({ err: error }, 'unexpected error');
  return new Fault(500, 'api.unexpected', 'Unexpected API Error. Please report it with the request id of this reply.');
}

export function invalidInput(problem: Problem, where: 'body' | 'query'): Fault {
  if (where === 'query') return badRequest('api.query-invalid', `Invalid input for query parameters ${problem.field}. ${describe(problem)}`);
  if (problem.keyword === 'required' || problem.keyword === 'additionalProperties') {
    return badRequest('api.body-invalid', describe(problem));
  }
  const value = JSON.stringify(problem.value)?.slice(0, 200);
  return badRequest('api.body-invalid', `Invalid input for field/attribute ${problem.field || 'body'}. Value: ${value}. ${describe(problem)}`);
}

/** A problem in words a person can act on. */
export function describe(problem: Problem): string {
  const { params } = problem;
  if (problem.keyword === 'required') {
    const names = (params['requiredProperties'] as string[] | undefined) ?? [];
    return names.map((name) => `'${name}' is a required property`).join(', ') || problem.message;
  }
  if (problem.keyword === 'additionalProperties') {
    const names = (params['additionalProperties'] as string[] | undefined) ?? [];
    if (names.length === 0) return problem.message;
    const list = names.map((name) => `'${name}'`).join(', ');
    return `Additional properties are not allowed (${list} ${names.length === 1 ? 'was' : 'were'} unexpected)`;
  }
  return `${JSON.stringify(problem.value)?.slice(0, 200) ?? 'It'} ${problem.message}`;
}

export function wire(surface: Surface, fault: Fault, request: FaultRequest, authUrl: string): WireFault {
  const own = surface.ownUnauthorized === true || fault.code !== 'auth.required';
  return own ? surface.formatFault(fault, request) : middlewareUnauthorized(authUrl);
}

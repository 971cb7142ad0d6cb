/** Instants that callers give: ISO 8601, UTC unless they say otherwise. */
import { isoMicros, type Clock } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/;

/** As the store keeps it, to the microsecond. Faults: 400 for what is no instant, or past. */
export function parseInstant(field: string, text: string, clock: Clock): string {
  const [, fraction = '', zone = 'Z'] = ISO.exec(text) ?? [];
  const at = ISO.test(text) ? new Date(`${text.slice(0, 19)}${zone}`) : new Date(Number.NaN);
  if (Number.isNaN(at.getTime())) {
    throw badRequest('identity.timestamp-invalid', 'Timestamp not in expected format. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.');
  }
  const stored = `${isoMicros(at).slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
  if (stored <= isoMicros(clock.now())) {
    throw badRequest('identity.timestamp-past', `The '${field}' must not be before now. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`);
  }
  return stored;
}

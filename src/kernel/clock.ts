/** Where the time comes from; tests hand in one of their own. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };

/** `2026-01-31T12:00:00.123000Z`: how the store keeps an instant (sorts as text) and what keystone shows. */
export function isoMicros(at: Date): string {
  return `${at.toISOString().slice(0, -1)}000Z`;
}

/** `2026-01-31T12:00:00Z`: what nova, neutron and glance show. Takes a Date or a stored instant. */
export function isoSeconds(at: Date | string): string {
  const text = typeof at === 'string' ? at : at.toISOString();
  return `${text.slice(0, 19)}Z`;
}

/** `2026-01-31T12:00:00.000000`, without zone: nova's services and hypervisors, cinder. */
export function isoMicrosNoZone(at: Date | string): string {
  const text = typeof at === 'string' ? at : isoMicros(at);
  return text.replace(/Z$/, '').padEnd(26, '0').slice(0, 26);
}

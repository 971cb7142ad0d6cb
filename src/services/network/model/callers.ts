/** Who asks through another service, and what neutron's rules let them do. */
import { forbidden } from '../../../kernel/fault.ts';
import type { NetworkCaller } from '../client.ts';

/** @throws Fault 403 */
export function requireRule(caller: NetworkCaller, rule: string, target: Record<string, unknown>): void {
  if (!caller.allows(rule, target)) throw forbidden('policy.forbidden', `Policy doesn't allow ${rule} to be performed.`, { type: 'PolicyNotAuthorized' });
}

export const isAdmin = (caller: Pick<NetworkCaller, 'allows'>): boolean => caller.allows('context_is_admin');

export const projectOf = (caller: Pick<NetworkCaller, 'auth'>): string => caller.auth.project_id ?? '';

/** What the rules of a thing that a project owns look at. */
export const ownedBy = (project_id: string): Record<string, unknown> => ({ project_id, tenant_id: project_id });

/** The thing, if the caller may see it. @throws Fault `missing` */
export function seen<T>(caller: NetworkCaller, rule: string, thing: T | undefined, target: (thing: T) => Record<string, unknown>, missing: Error): T {
  if (thing === undefined || !caller.allows(rule, target(thing))) throw missing;
  return thing;
}

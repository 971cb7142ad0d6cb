/** Where a caller wants a server to be. */
import { as } from '../../../kernel/db/database.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findNodeByHost } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';
import { zonesOfHosts } from './availability-zones.ts';

export interface Placement {
  /** The zone it is bound to; null: any. */
  zone: string | null;
  /** The one host it may go to; null: any. */
  host: string | null;
  /** Of the image that it was made of, as they were then. */
  image_properties?: Record<string, string>;
}

/** `zone`, `zone:host`, `zone:host:node`, `zone::node`. @throws Fault 400 */
export function parseZone(text: string | undefined): { zone: string | undefined; host: string | undefined; node: string | undefined } {
  const [zone, host, node, ...more] = (text ?? '').split(':');
  if (more.length > 0) throw badRequest('compute.zone-invalid', 'Invalid input received: Unable to parse availability_zone');
  const orUndefined = (part: string | undefined): string | undefined => (part === '' ? undefined : part);
  return { zone: orUndefined(zone), host: orUndefined(host), node: orUndefined(node) };
}

interface Wish {
  zone: string | undefined;
  host: string | undefined;
  hypervisor_hostname: string | undefined;
  forced: boolean;
}

/** @throws Fault 400 for a zone or, unless the caller forces it, a host that is not there. */
export async function resolvePlacement(deps: ComputeDeps, wish: Wish): Promise<Placement> {
  const host = wish.host ?? wish.hypervisor_hostname ?? null;
  if (host === null && wish.zone === undefined) return { zone: null, host: null };
  const zones = await zonesOfHosts(deps);
  if (host !== null) {
    const known = (await findNodeByHost(as<ComputeTables>(deps.db).read, host)) !== undefined;
    const both = wish.host === undefined || wish.hypervisor_hostname === undefined || wish.host === wish.hypervisor_hostname;
    if (!wish.forced && (!known || !both)) throw badRequest('compute.host-not-found', `Compute host ${both ? host : wish.hypervisor_hostname} could not be found.`);
  }
  if (wish.zone === undefined) return { zone: null, host };
  // A forced host in another zone wins over the zone that was asked for.
  if (wish.forced) return { zone: (zones.get(host ?? '') ?? deps.config.default_availability_zone) === wish.zone ? wish.zone : null, host };
  if (wish.zone !== deps.config.default_availability_zone && ![...zones.values()].includes(wish.zone)) {
    throw badRequest('compute.zone-not-available', 'The requested availability zone is not available');
  }
  return { zone: wish.zone, host };
}

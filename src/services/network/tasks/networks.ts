import type { NetworkApi, ShownNetwork } from '../client.ts';
import { networkNotFound } from '../faults.ts';
import { isAdmin, ownedBy, projectOf, requireRule, seen } from '../model/callers.ts';
import type { NetworkDeps } from '../deps.ts';
import { networkTarget } from '../model/networks.ts';
import { wholeList } from '../store/list.ts';
import { findNetwork, listNetworks } from '../store/networks.ts';

export function networkApi(env: NetworkDeps): Pick<NetworkApi, 'listNetworks' | 'showNetwork'> {
  return {
    async listNetworks(caller, query) {
      requireRule(caller, 'get_network', ownedBy(projectOf(caller)));
      const filters = query === undefined ? [] : [{ column: 'external', op: 'eq', value: 1 } as const];
      const { rows } = await listNetworks(env.db.read, isAdmin(caller) ? undefined : projectOf(caller), wholeList(filters));
      return rows.map(shownNetwork);
    },
    async showNetwork(caller, id) {
      return shownNetwork(seen(caller, 'get_network', await findNetwork(env.db.read, id), networkTarget, networkNotFound(id)));
    },
  };
}

export const shownNetwork = ({ id, name }: ShownNetwork): ShownNetwork => ({ id, name });

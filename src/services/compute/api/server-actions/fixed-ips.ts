import { Type } from 'typebox';
import type { ComputeDeps } from '../../deps.ts';
import { checkAction } from '../../model/server-state.ts';
import { versions } from '../../versions.ts';
import { ipText } from '../parameters.ts';
import { type Action, closed } from './action.ts';

/** Proxies of networking, up to 2.43. */
export function fixedIpActions(deps: ComputeDeps): Action[] {
  const networkId = Type.Union([Type.String({ minLength: 1, maxLength: 36 }), Type.Number()]);
  return [
    {
      name: 'addFixedIp',
      summary: 'Give a server one more address of a network that it is on',
      policy: 'os_compute_api:os-multinic:add',
      until: versions.NO_ADDRESS_ACTIONS - 1,
      body: Type.Object({ addFixedIp: Type.Object({ networkId }, closed) }, closed),
      act: async (row, actor, call) => {
        checkAction('addFixedIp', row, actor.is_admin);
        await deps.network.addFixedIp(row.id, String((call.body as { addFixedIp: { networkId: string | number } }).addFixedIp.networkId));
      },
    },
    {
      name: 'removeFixedIp',
      summary: 'Take an address from a server',
      policy: 'os_compute_api:os-multinic:remove',
      until: versions.NO_ADDRESS_ACTIONS - 1,
      body: Type.Object({ removeFixedIp: Type.Object({ address: ipText }, closed) }, closed),
      act: async (row, actor, call) => {
        checkAction('removeFixedIp', row, actor.is_admin);
        await deps.network.removeFixedIp(row.id, (call.body as { removeFixedIp: { address: string } }).removeFixedIp.address);
      },
    },
  ];
}

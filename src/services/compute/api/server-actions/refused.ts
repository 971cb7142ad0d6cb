/** Actions of the API that servers here do not have yet: who asks learns that it is so, after all that would be wrong anyway. */
import { notImplemented } from '../../../../kernel/fault.ts';
import { checkAction, type ServerAction } from '../../model/server-state.ts';
import { type Action, anything } from './action.ts';

const refused: { name: ServerAction; policy: string; what: string }[] = [
  { name: 'rescue', policy: 'os-rescue', what: 'rescued' },
  { name: 'unrescue', policy: 'os-unrescue', what: 'unrescued' },
];

export const refusedActions = (): Action[] =>
  refused.map(({ name, policy, what }) => ({
    name,
    summary: `Not supported: servers cannot be ${what}`,
    policy: `os_compute_api:${policy}`,
    body: anything(name),
    act: async (row, actor) => {
      checkAction(name, row, actor.is_admin);
      throw notImplemented('compute.action-not-supported', `The requested functionality is not supported: servers cannot be ${what} here.`);
    },
  }));

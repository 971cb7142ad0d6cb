import { Type } from 'typebox';
import type { ComputeDeps } from '../../deps.ts';
import { resetState } from '../../model/servers.ts';
import { type Action, closed } from './action.ts';

export function resetStateActions(deps: ComputeDeps): Action[] {
  const state = Type.Union([Type.Literal('active'), Type.Literal('error')]);
  return [
    {
      name: 'os-resetState',
      summary: 'Set the state of a server by hand',
      policy: 'os_compute_api:os-admin-actions:reset_state',
      body: Type.Object({ 'os-resetState': Type.Object({ state }, closed) }, closed),
      act: async (row, actor, call) => {
        await resetState(deps, actor, row, (call.body as { 'os-resetState': { state: 'active' | 'error' } })['os-resetState'].state);
      },
    },
  ];
}

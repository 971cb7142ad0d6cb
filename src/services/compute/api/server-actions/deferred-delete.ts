import type { ComputeDeps } from '../../deps.ts';
import { checkAction } from '../../model/server-state.ts';
import { deleteServer } from '../../model/servers.ts';
import { type Action, anything } from './action.ts';

export function deferredDeleteActions(deps: ComputeDeps): Action[] {
  return [
    {
      name: 'forceDelete',
      summary: 'Delete a server at once',
      policy: 'os_compute_api:os-deferred-delete:force',
      body: anything('forceDelete'),
      act: (row, actor) => deleteServer(deps, actor, row),
    },
    {
      name: 'restore',
      summary: 'Bring back a soft-deleted server; deletion is never soft here, so that no server has the state for it',
      policy: 'os_compute_api:os-deferred-delete:restore',
      body: anything('restore'),
      act: async (row, actor) => checkAction('restore', row, actor.is_admin),
    },
  ];
}

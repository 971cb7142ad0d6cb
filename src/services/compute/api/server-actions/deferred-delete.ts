import type { ComputeDeps } from '../../deps.ts';
import { deleteServer, powerServer } from '../../model/servers.ts';
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
      summary: 'Bring back a server that was deleted and is kept for a while',
      policy: 'os_compute_api:os-deferred-delete:restore',
      body: anything('restore'),
      act: (row, actor) => powerServer(deps, actor, row, 'restore'),
    },
  ];
}

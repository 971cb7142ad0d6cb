import { Type } from 'typebox';
import type { ComputeDeps, PowerTask } from '../../deps.ts';
import { powerServer } from '../../model/servers.ts';
import { type Action, anything, closed } from './action.ts';

export function powerActions(deps: ComputeDeps): Action[] {
  const simple = (name: string, what: PowerTask, policy: string, summary: string): Action => ({
    name,
    summary,
    policy: `os_compute_api:${policy}`,
    body: anything(name),
    act: (row, actor) => powerServer(deps, actor, row, what),
  });
  const types = ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'].map((type) => Type.Literal(type));
  return [
    simple('os-start', 'start', 'servers:start', 'Start a server'),
    simple('os-stop', 'stop', 'servers:stop', 'Stop a server'),
    simple('pause', 'pause', 'os-pause-server:pause', 'Pause a server'),
    simple('unpause', 'unpause', 'os-pause-server:unpause', 'Unpause a server'),
    simple('suspend', 'suspend', 'os-suspend-server:suspend', 'Suspend a server: it is frozen and its memory given back'),
    simple('resume', 'resume', 'os-suspend-server:resume', 'Resume a suspended server'),
    {
      name: 'reboot',
      summary: 'Reboot a server',
      policy: 'os_compute_api:servers:reboot',
      body: Type.Object({ reboot: Type.Object({ type: Type.Union(types) }, closed) }, closed),
      act: (row, actor, call) => {
        const { reboot } = call.body as { reboot: { type: string } };
        return powerServer(deps, actor, row, reboot.type.toUpperCase() === 'HARD' ? 'reboot-hard' : 'reboot');
      },
    },
  ];
}

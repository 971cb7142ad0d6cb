import { Type } from 'typebox';
import { since, until } from '../../../../kernel/api/microversion.ts';
import { nullable } from '../../../../kernel/api/schema.ts';
import type { ComputeDeps } from '../../deps.ts';
import { offloadServer, shelveServer, type Unshelve, unshelveServer } from '../../model/shelve-server.ts';
import { versions } from '../../versions.ts';
import { nameText } from '../parameters.ts';
import { type Action, anything, closed } from './action.ts';

const toZone = Type.Object({ availability_zone: nameText }, closed);
const toHost = Type.Object({ availability_zone: Type.Optional(nullable(Type.String())), host: Type.Optional(Type.String()) }, closed);
const unshelveBody = Type.Union([
  until(versions.UNSHELVE_ZONE - 1, Type.Unknown()),
  since(versions.UNSHELVE_ZONE, until(versions.UNSHELVE_HOST - 1, nullable(toZone))),
  since(versions.UNSHELVE_HOST, nullable(toHost)),
]);

export function shelveActions(deps: ComputeDeps): Action[] {
  return [
    {
      name: 'shelve',
      summary: 'Stop a server and put what it has written into an image',
      policy: 'os_compute_api:os-shelve:shelve',
      body: anything('shelve'),
      act: (row, actor, call) => shelveServer(deps, actor, call, row),
    },
    {
      name: 'shelveOffload',
      summary: 'Take a shelved server off its host',
      policy: 'os_compute_api:os-shelve:shelve_offload',
      body: anything('shelveOffload'),
      act: (row, actor) => offloadServer(deps, actor, row),
    },
    {
      name: 'unshelve',
      summary: 'Bring a shelved server back',
      policy: 'os_compute_api:os-shelve:unshelve',
      body: Type.Object({ unshelve: unshelveBody }, closed),
      act: async (row, actor, call) => {
        const asked = call.version >= versions.UNSHELVE_ZONE ? ((call.body as { unshelve: { availability_zone?: string | null; host?: string } | null }).unshelve ?? {}) : {};
        const wanted: Unshelve = { ...(asked.availability_zone === undefined ? {} : { zone: asked.availability_zone }), ...(asked.host === undefined ? {} : { host: asked.host }) };
        if (wanted.host !== undefined) call.enforce('os_compute_api:os-shelve:unshelve_to_host', { project_id: row.project_id });
        await unshelveServer(deps, actor, row, wanted);
      },
    },
  ];
}

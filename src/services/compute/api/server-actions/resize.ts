import { Type } from 'typebox';
import type { AnyCall } from '../../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../../deps.ts';
import { confirmResize, type Mover, resizeServer, revertResize } from '../../model/resize-server.ts';
import type { Actor } from '../../model/server-tasks.ts';
import { diskConfig } from '../parameters.ts';
import { type Action, anything, closed } from './action.ts';

/** Also as the last part of a URL, as old clients write it. */
const flavorId = (reference: string | number): string => String(reference).split('/').at(-1)!;

export const moverOf = (actor: Actor, call: Pick<AnyCall, 'auth'>): Mover => ({ ...actor, auth: call.auth });

export function resizeActions(deps: ComputeDeps): Action[] {
  const flavorRef = Type.Union([Type.String({ minLength: 1 }), Type.Integer()]);
  return [
    {
      name: 'resize',
      summary: 'Resize a server',
      policy: 'os_compute_api:servers:resize',
      body: Type.Object({ resize: Type.Object({ flavorRef, 'OS-DCF:diskConfig': Type.Optional(diskConfig) }, closed) }, closed),
      act: async (row, actor, call) => {
        const { resize } = call.body as { resize: { flavorRef: string | number; 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL' } };
        await resizeServer(deps, moverOf(actor, call), row, { flavor_id: flavorId(resize.flavorRef), disk_config: resize['OS-DCF:diskConfig'] });
      },
    },
    {
      name: 'confirmResize',
      summary: 'Confirm the resize of a server',
      policy: 'os_compute_api:servers:confirm_resize',
      body: anything('confirmResize'),
      status: 204,
      act: (row, actor) => confirmResize(deps, actor, row),
    },
    {
      name: 'revertResize',
      summary: 'Revert the resize of a server',
      policy: 'os_compute_api:servers:revert_resize',
      body: anything('revertResize'),
      act: (row, actor) => revertResize(deps, actor, row),
    },
  ];
}

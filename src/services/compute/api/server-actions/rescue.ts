import { Type } from 'typebox';
import { nullable, uuidString } from '../../../../kernel/api/schema.ts';
import { password } from '../../../../kernel/ids.ts';
import type { ComputeDeps } from '../../deps.ts';
import { rescueServer, unrescueServer } from '../../model/rescue-server.ts';
import { type Action, anything, closed } from './action.ts';

export function rescueActions(deps: ComputeDeps): Action[] {
  const asked = Type.Object({ adminPass: Type.Optional(Type.String()), rescue_image_ref: Type.Optional(uuidString) }, closed);
  return [
    {
      name: 'rescue',
      summary: "Run another image in a server's place, with its addresses; its own root file system is at /mnt/rescue",
      policy: 'os_compute_api:os-rescue',
      body: Type.Object({ rescue: nullable(asked) }, closed),
      status: 200,
      reply: Type.Object({ adminPass: Type.Optional(Type.String()) }),
      act: async (row, actor, call) => {
        const { rescue } = call.body as { rescue: { adminPass?: string; rescue_image_ref?: string } | null };
        const adminPass = rescue?.adminPass ?? password(12);
        await rescueServer(deps, actor, row, call.auth, { image_id: rescue?.rescue_image_ref, password: { text: adminPass, drawn: rescue?.adminPass === undefined } });
        return deps.config.enable_instance_password ? { adminPass } : {};
      },
    },
    {
      name: 'unrescue',
      summary: "Start a rescued server's own guest again",
      policy: 'os_compute_api:os-unrescue',
      body: anything('unrescue'),
      act: (row, actor) => unrescueServer(deps, actor, row),
    },
  ];
}

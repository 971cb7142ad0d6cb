/** Actions of the API that servers here do not have yet: who asks learns that it is so, after all that would be wrong anyway. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { notImplemented } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { checkAction, type ServerAction } from '../model/server-state.ts';
import { versions } from '../versions.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';

const refused: { name: ServerAction; policy: string; what: string; since?: Microversion }[] = [
  { name: 'suspend', policy: 'os-suspend-server:suspend', what: 'suspended' },
  { name: 'resume', policy: 'os-suspend-server:resume', what: 'resumed' },
  { name: 'rescue', policy: 'os-rescue', what: 'rescued' },
  { name: 'unrescue', policy: 'os-unrescue', what: 'unrescued' },
  { name: 'resize', policy: 'servers:resize', what: 'resized' },
  { name: 'confirmResize', policy: 'servers:confirm_resize', what: 'resized' },
  { name: 'revertResize', policy: 'servers:revert_resize', what: 'resized' },
  { name: 'rebuild', policy: 'servers:rebuild', what: 'rebuilt' },
  { name: 'createImage', policy: 'servers:create_image', what: 'made into images' },
  { name: 'createBackup', policy: 'os-create-backup', what: 'made into images' },
  { name: 'shelve', policy: 'os-shelve:shelve', what: 'shelved' },
  { name: 'shelveOffload', policy: 'os-shelve:shelve_offload', what: 'shelved' },
  { name: 'unshelve', policy: 'os-shelve:unshelve', what: 'shelved' },
  { name: 'migrate', policy: 'os-migrate-server:migrate', what: 'moved' },
  { name: 'os-migrateLive', policy: 'os-migrate-server:migrate_live', what: 'moved while they run' },
  { name: 'evacuate', policy: 'os-evacuate', what: 'evacuated' },
  { name: 'trigger_crash_dump', policy: 'servers:trigger_crash_dump', what: 'made to dump their memory', since: versions.TRIGGER_CRASH_DUMP },
];

export const refusedActionEndpoints = (deps: ComputeDeps): Endpoint[] =>
  refused.map(({ name, policy, what, since }) =>
    endpoint({
      id: `servers:action:${name}`,
      method: 'POST',
      path: '/v2.1/servers/{server_id}/action',
      action: name,
      summary: `Not supported: servers cannot be ${what}`,
      policy: `os_compute_api:${policy}`,
      target: serverTarget(deps),
      ...(since === undefined ? {} : { since }),
      body: Type.Object({ [name]: Type.Unknown() }, { additionalProperties: false }),
      status: 202,
      handler: (call) => {
        checkAction(name, serverOf(call), isAdmin(call));
        throw notImplemented('compute.action-not-supported', `The requested functionality is not supported: servers cannot be ${what} here.`);
      },
    }),
  );

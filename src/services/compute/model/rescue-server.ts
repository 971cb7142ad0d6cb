import type { Kysely } from 'kysely';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, conflict, isFault } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findBoot } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { passwordsFor } from './guest-settings.ts';
import { type BootImage, imageForServer, imageRefOf } from './image-checks.ts';
import { bootsFromVolume } from './server-row.ts';
import { powerStates, checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';

export interface RescueServer {
  /** Undefined: the configured one, else the server's own. */
  image_id: string | undefined;
  password: { text: string; drawn: boolean };
}

/** @throws Fault 400 for an image that cannot be used, 409 in nova's words. */
export async function rescueServer(deps: ComputeDeps, actor: Actor, row: ServerRow, auth: Auth, asked: RescueServer): Promise<void> {
  checkAction('rescue', row, actor.is_admin);
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  if (bootsFromVolume(row)) throw badRequest('compute.not-rescuable', `Instance ${row.id} cannot be rescued: Cannot rescue a volume-backed instance`);
  const wanted = asked.image_id ?? (deps.config.rescue_image === '' ? undefined : deps.config.rescue_image);
  const image = wanted === undefined ? await ownImage(deps, row) : await rescueImage(deps, auth, wanted);
  const input = {
    image,
    // An application's own command is what may need rescue.
    shell: wanted === undefined && image.system === undefined,
    passwords: passwordsFor(image, asked.password.text, asked.password.drawn),
    was_running: row.power_state === powerStates.running,
  };
  await beginTask(deps, actor, row, { action: 'rescue', task_state: 'rescuing', recorded: 'rescue', kind: 'rescue', input });
}

/** @throws Fault 409 in nova's words. */
export async function unrescueServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  await beginTask(deps, actor, row, { action: 'unrescue', task_state: 'unrescuing', recorded: 'unrescue', kind: 'unrescue', input: {} });
}

async function ownImage(deps: ComputeDeps, row: ServerRow): Promise<BootImage> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  if (boot === undefined) throw conflict('compute.server-lost', `It is not known any more how instance ${row.id} was made.`);
  return JSON.parse(boot.image_json) as BootImage;
}

async function rescueImage(deps: ComputeDeps, auth: Auth, id: string): Promise<BootImage> {
  try {
    return imageRefOf(await imageForServer(deps, auth, id));
  } catch (error) {
    if (!isFault(error)) throw error;
    throw badRequest('compute.rescue-image', `Requested rescue image '${id}' is not supported`, { type: 'UnsupportedRescueImage', cause: error });
  }
}

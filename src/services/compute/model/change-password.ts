import type { Kysely } from 'kysely';
import { conflict, isFault } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findBoot } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { passwordsFor } from './guest-settings.ts';
import type { BootImage } from './image-checks.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';

/** Waits for its end, since its failure is the caller's to know. @throws Fault 409 in nova's words. */
export async function changePassword(deps: ComputeDeps, actor: Actor, row: ServerRow, password: string): Promise<void> {
  checkAction('changePassword', row, actor.is_admin);
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  const image = boot === undefined ? {} : (JSON.parse(boot.image_json) as BootImage);
  const input = { passwords: passwordsFor(image, password, false) };
  const task = await beginTask(deps, actor, row, { action: 'changePassword', task_state: 'updating_password', recorded: 'changePassword', kind: 'password', input });
  try {
    await deps.tasks.ended(task);
  } catch (error) {
    if (!isFault(error)) throw error;
    throw conflict('compute.password-failed', `Failed to set admin password on ${row.id} because ${error.message}`, { cause: error });
  }
}

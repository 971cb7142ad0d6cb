/** A server is made anew of an image, where it is: what it wrote goes, its id, ports and addresses stay (nova `compute/api.py` rebuild). */
import type { Kysely } from 'kysely';
import type { InjectedFile } from '../../../agents/compute/protocol.ts';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, conflict, isFault } from '../../../kernel/fault.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { deleteConsoleTokensOf } from '../store/console-tokens.ts';
import { findBoot, findServer, type ServerChange, updateBoot } from '../store/servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import { checkFileQuota, checkMetadataQuota, publicKey } from './create-servers.ts';
import { guestCommand, guestEnvironment } from './guest-command.ts';
import { guestOptions } from './guest-words.ts';
import { passwordsFor, settingsOf } from './guest-settings.ts';
import { type BootImage, checkImage, holdImage, imageForServer, originOf } from './image-checks.ts';
import { quotasOf } from './quota-sets.ts';
import { bootsFromVolume, flavorOf, metadataOf } from './server-row.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask, serverGone } from './server-tasks.ts';

/** What is not there stays as it is. */
export interface RebuildServer {
  image_id: string;
  name?: string;
  description?: string | null;
  hostname?: string;
  metadata?: Record<string, string>;
  /** Of the caller; null: none any more. */
  key_name?: string | null;
  user_data?: string | null;
  files: InjectedFile[];
  access_ip_v4?: string;
  access_ip_v6?: string;
  disk_config?: 'AUTO' | 'MANUAL';
  admin_password: { text: string; drawn: boolean } | null;
}

interface Caller {
  actor: Actor;
  auth: Auth;
  /** May use flavors without a disk limit. */
  zero_disk: boolean;
}

/** @returns the row as it is now. Faults: 400, 403, 409 in nova's words. */
export async function rebuildServer(deps: ComputeDeps, { actor, auth, zero_disk }: Caller, row: ServerRow, asked: RebuildServer): Promise<ServerRow> {
  checkAction('rebuild', row, actor.is_admin);
  const db = deps.db.read as Kysely<ComputeTables>;
  const boot = await findBoot(db, row.id);
  if (bootsFromVolume(row)) throw badRequest('compute.rebuild-volume', 'Unable to rebuild with a different image for a volume-backed server.');
  if (row.node_id === null || boot === undefined) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const quotas = await quotasOf(db, deps, row.project_id);
  checkMetadataQuota(quotas.metadata_items, asked.metadata ?? {});
  checkFileQuota(quotas, asked.files);
  const image = await imageToRebuild(deps, auth, asked.image_id);
  const image_ref = checkImage(image, flavorOf(row), zero_disk);
  const key = asked.key_name === undefined ? undefined : { key_name: asked.key_name, public_key: await publicKey(deps, auth, asked.key_name) };
  const next = bootChange(row, boot, asked, { image, image_ref, auth });
  await beginTask(deps, actor, row, {
    action: 'rebuild', task_state: 'rebuilding', recorded: 'rebuild', kind: 'rebuild',
    input: { stopped: row.vm_state === 'stopped' },
    change: { ...rowChange(asked, image), ...(key === undefined ? {} : { key_name: key.key_name }) },
    async also(tx) {
      await updateBoot(tx, row.id, { ...next, ...(key === undefined ? {} : { public_key: key.public_key }) });
      await deleteConsoleTokensOf(tx, row.id);
      await holdImage(deps, tx as never, row.id, image.id);
    },
  });
  const now = await findServer(db, row.id);
  if (now === undefined) throw serverGone(row.id);
  return now;
}

async function imageToRebuild(deps: ComputeDeps, auth: Auth, id: string): Promise<ImageInfo> {
  try {
    return await imageForServer(deps, auth, id);
  } catch (error) {
    if (isFault(error) && error.code === 'compute.image-not-found') throw badRequest(error.code, 'Cannot find image for rebuild');
    throw error;
  }
}

function rowChange(asked: RebuildServer, image: ImageInfo): ServerChange {
  const change: ServerChange = { image_id: image.id, image_name: image.name, progress: 0 };
  for (const name of ['name', 'description', 'hostname', 'access_ip_v4', 'access_ip_v6', 'disk_config'] as const) {
    if (asked[name] !== undefined) Object.assign(change, { [name]: asked[name] });
  }
  if (asked.metadata !== undefined) change.metadata_json = JSON.stringify(asked.metadata);
  if (asked.user_data !== undefined) change.has_user_data = asked.user_data === null ? 0 : 1;
  return change;
}

interface NewImage {
  image: ImageInfo;
  image_ref: BootImage;
  auth: Auth;
}

/** Files are those of this call: what was put into the first guest does not come back. */
function bootChange(row: ServerRow, boot: ServerBootRow, asked: RebuildServer, { image, image_ref, auth }: NewImage): Partial<Omit<ServerBootRow, 'server_id'>> {
  const metadata = asked.metadata ?? metadataOf(row);
  const words = { image_id: image.id, properties: image.properties, system: image_ref.system !== undefined };
  const { passwords: _old, ...settings } = settingsOf(boot);
  const passwords = asked.admin_password === null ? {} : { passwords: passwordsFor(image_ref, asked.admin_password.text, asked.admin_password.drawn) };
  return {
    image_json: JSON.stringify({ ...image_ref, origin: originOf(image, auth) }),
    files_json: JSON.stringify(asked.files),
    command_json: JSON.stringify(guestCommand(metadata, words)),
    environment_json: JSON.stringify(guestEnvironment(metadata, image.properties)),
    guest_json: JSON.stringify({ ...settings, options: guestOptions(metadata, words), ...passwords }),
    ...(asked.user_data === undefined ? {} : { user_data: asked.user_data }),
  };
}

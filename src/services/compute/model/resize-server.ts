/** Servers of another size or on another node: what the API checks before the work begins (nova/compute/api.py). */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Auth } from '../../../kernel/context.ts';
import { as } from '../../../kernel/db/database.ts';
import { badRequest, conflict, isFault } from '../../../kernel/fault.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { findNode, findNodeByHost } from '../store/nodes.ts';
import { updateMigration } from '../store/server-migrations.ts';
import type { ComputeTables, MigrationRow, ServerRow } from '../store/tables.ts';
import { type FlavorSnapshot, flavorForServer, getFlavor } from './flavors.ts';
import { checkFlavorFits } from './image-checks.ts';
import { checkGrowth } from './quota-sets.ts';
import { beforeOf, finishedMove, larger, newFlavor, newMoveId, notResized, oldFlavor, recordMove } from './server-migrations.ts';
import { flavorOf } from './server-row.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';
import { isNodeUp } from './services.ts';

/** Who asks, and as whom images and flavors are looked at. */
export interface Mover extends Actor {
  auth: Auth;
}

const unavailable = (): Error => conflict('compute.service-unavailable', 'Service is unavailable at this time.');

/** @throws Fault 409 */
async function needNode(deps: ComputeDeps, node_id: string | null, server_id: string): Promise<void> {
  if (node_id === null) throw conflict('compute.server-not-ready', `Instance ${server_id} is not ready`);
  const node = await findNode(as<ComputeTables>(deps.db).read, node_id);
  if (node === undefined || !isNodeUp(deps, node)) throw unavailable();
}

/** @throws Fault 400, 403 for a quota, 409 */
export async function resizeServer(deps: ComputeDeps, actor: Mover, row: ServerRow, asked: { flavor_id: string; disk_config: 'AUTO' | 'MANUAL' | undefined }): Promise<void> {
  checkAction('resize', row, actor.is_admin);
  await needNode(deps, row.node_id, row.id);
  const image = await imageOf(deps, actor.auth, row.image_id);
  if (asked.disk_config === 'AUTO' && image !== undefined && /^(false|0|no|off)$/i.test(String(image.properties['auto_disk_config'] ?? ''))) {
    throw badRequest('compute.disk-config', `Requested image ${image.id} has automatic disk resize disabled.`);
  }
  const flavor = await otherFlavor(deps, actor, row, asked.flavor_id);
  if (image !== undefined) checkFlavorFits(image, flavor);
  await begin(deps, actor, row, { flavor, type: 'resize', host: null, disk_config: asked.disk_config ?? 'MANUAL' });
}

/** The image may be gone by now: then nothing is known that would stand in the way. */
async function imageOf(deps: ComputeDeps, auth: Auth, id: string): Promise<ImageInfo | undefined> {
  try {
    return await deps.image.getImage(auth, id);
  } catch (error) {
    if (isFault(error) && error.status < 500) return undefined;
    throw error;
  }
}

async function otherFlavor(deps: ComputeDeps, actor: Mover, row: ServerRow, id: string): Promise<FlavorSnapshot> {
  const old = flavorOf(row);
  const flavor = await flavorForServer(deps, actor.auth, id, actor.is_admin);
  if (flavor.disk_gb === 0 && old.disk_gb !== 0) {
    throw badRequest('compute.resize-disk', 'Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.');
  }
  if (flavor.id === old.id) throw badRequest('compute.same-flavor', 'When resizing, instances must change flavor!');
  if ((await getFlavor(deps, id))?.disabled === 1) throw badRequest('compute.flavor-not-found', `Flavor ${id} could not be found.`, { type: 'FlavorNotFound' });
  return flavor;
}

/** @param host the one to go to; null: any other. @throws Fault 400, 409 */
export async function migrateServer(deps: ComputeDeps, actor: Mover, row: ServerRow, host: string | null): Promise<void> {
  checkAction('migrate', row, actor.is_admin);
  await needNode(deps, row.node_id, row.id);
  if (host !== null) {
    if (host === row.host) throw badRequest('compute.same-host', 'Cannot migrate to the host where the server exists.');
    if ((await findNodeByHost(as<ComputeTables>(deps.db).read, host)) === undefined) throw badRequest('compute.host-not-found', `Compute host ${host} could not be found.`);
  }
  await begin(deps, actor, row, { flavor: flavorOf(row), type: 'migration', host, disk_config: 'MANUAL' });
}

interface Begin {
  flavor: FlavorSnapshot;
  type: 'resize' | 'migration';
  host: string | null;
  disk_config: 'AUTO' | 'MANUAL';
}

async function begin(deps: ComputeDeps, actor: Actor, row: ServerRow, { flavor, type, host, disk_config }: Begin): Promise<void> {
  const uuid = newMoveId();
  const old = flavorOf(row);
  const action = type === 'resize' ? 'resize' : 'migrate';
  await beginTask(deps, actor, row, {
    action,
    task_state: 'resize_prep',
    recorded: action,
    kind: 'resize',
    input: { migration: uuid, host },
    change: { progress: 0, disk_config, ...larger(old, flavor) },
    also: async (tx) => {
      await checkGrowth(tx, deps, row, old, flavor);
      await recordMove(tx, actor.ctx, row, { uuid, type, status: 'pre-migrating', flavor });
    },
  });
}

/** @throws Fault 400 when there is nothing to confirm, 409 */
export async function confirmResize(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  checkAction('confirmResize', row, actor.is_admin);
  const migration = await finishedMove(reader(deps), row.id);
  await needNode(deps, migration.source_node_id, row.id);
  await beginTask(deps, actor, row, {
    action: 'confirmResize',
    task_state: null,
    recorded: 'confirmResize',
    kind: 'confirm-resize',
    input: { migration: migration.uuid },
    also: (tx) => take(deps, tx, migration, 'confirming'),
  });
}

/** @throws Fault 400 when there is nothing to go back to, 403 when the quota does not allow it, 409 */
export async function revertResize(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  checkAction('revertResize', row, actor.is_admin);
  const migration = await finishedMove(reader(deps), row.id);
  const [from, to] = [newFlavor(migration), oldFlavor(migration)];
  await needNode(deps, migration.source_node_id, row.id);
  await needNode(deps, migration.dest_node_id, row.id);
  await beginTask(deps, actor, row, {
    action: 'revertResize',
    task_state: 'resize_reverting',
    recorded: 'revertResize',
    kind: 'revert-resize',
    input: { migration: migration.uuid },
    change: { ...larger(from, to), disk_config: beforeOf(migration).disk_config },
    also: async (tx) => {
      await checkGrowth(tx, deps, row, from, to);
      await take(deps, tx, migration, 'reverting');
    },
  });
}

const reader = (deps: ComputeDeps): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/** Of two that want the same move only one gets it. */
async function take(deps: ComputeDeps, tx: Kysely<ComputeTables>, migration: MigrationRow, status: string): Promise<void> {
  const taken = await updateMigration(tx, migration.uuid, { status, updated_at: isoMicros(deps.clock.now()) }, ['finished']);
  if (taken === undefined) throw notResized();
}

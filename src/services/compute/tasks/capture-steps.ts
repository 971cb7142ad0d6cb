/** What a server has changed, on its way from the node into an image: the steps that all work has which makes one. */
import type { Kysely } from 'kysely';
import { type BlobRef, computeMethods } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { BootImage } from '../model/image-checks.ts';
import { findBoot, findServer, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import type { TaskDeps } from './task-deps.ts';

interface Captured {
  node_id: string;
  layer: { digest: string; size: number };
}

interface OfImage {
  server_id: string;
  image_id: string;
}

/** @throws Fault 409 when the server is gone, or has no node. */
export async function serverOnNode(deps: TaskDeps, server_id: string): Promise<ServerRow & { node_id: string }> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1 || row.node_id === null) throw conflict('compute.no-node', `Instance ${server_id} is not ready`);
  return { ...row, node_id: row.node_id };
}

/** What the server shows while work on it goes on. @throws Fault 409 when it is being deleted. */
export async function showTask(deps: TaskDeps, server_id: string, task_state: string): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  const shown = await deps.db.transaction((tx) => updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state, updated_at }, { not_task_state: 'deleting' }));
  if (shown === undefined) throw conflict('compute.server-deleted', `Instance ${server_id} was deleted meanwhile.`);
}

/** Stays on the node until it is dropped. */
export async function capture(deps: TaskDeps, ctx: StepContext, { server_id, image_id }: OfImage): Promise<Captured> {
  const { node_id } = await serverOnNode(deps, server_id);
  const layer = await deps.nodes.call<BlobRef>(node_id, computeMethods.capture, { server_id, image_id }, callOptions(deps, ctx));
  return { node_id, layer };
}

/** Of a node that is away nothing is asked: it forgets by itself what nobody has fetched. */
export async function dropCapture(deps: TaskDeps, { server_id, image_id }: OfImage, captured: Captured | undefined): Promise<void> {
  const node_id = captured?.node_id ?? (await findServer(deps.db.read as Kysely<ComputeTables>, server_id))?.node_id ?? null;
  if (node_id === null || !deps.nodes.isConnected(node_id)) return;
  try {
    await deps.nodes.call(node_id, computeMethods.dropCapture, { image_id });
  } catch (error) {
    if (!isFault(error) || deps.nodes.isConnected(node_id)) throw error;
  }
}

/** @throws Fault 410 when the image was deleted meanwhile. */
export async function upload(deps: TaskDeps, ctx: StepContext, { image_id }: OfImage, { node_id }: Captured): Promise<void> {
  await deps.image.snapshots.begin(image_id);
  await deps.nodes.call<BlobRef>(node_id, computeMethods.sendCapture, { image_id }, callOptions(deps, ctx));
}

export async function publish(deps: TaskDeps, { server_id, image_id }: OfImage, { layer }: Captured): Promise<ImageInfo> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, server_id);
  if (boot === undefined) throw conflict('compute.server-deleted', `Instance ${server_id} was deleted meanwhile.`);
  return await deps.image.snapshots.finish(image_id, { holder: server_id, base_id: (JSON.parse(boot.image_json) as BootImage).id, layer });
}

function callOptions(deps: TaskDeps, ctx: StepContext): { timeout_ms: number; signal: AbortSignal } {
  return { timeout_ms: deps.config.snapshot_timeout * 1000, signal: ctx.signal };
}

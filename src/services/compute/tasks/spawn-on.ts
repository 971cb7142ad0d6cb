import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import { nicsOf } from '../model/server-row.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';
import { guestSpec } from './guest-spec.ts';
import type { TaskDeps } from './task-deps.ts';

/**
 * The guest on the node where the server was placed; idempotent.
 * @param incarnation makes the guest anew, as row and boot say now: what it wrote goes with its container; its namespace, cables and addresses
 * stay. Any name that only this making has (the id of the action): asked twice with the same one, it is made once.
 */
export async function spawnOn(deps: TaskDeps, ctx: StepContext, row: ServerRow, boot: ServerBootRow, incarnation?: string): Promise<GuestReport> {
  const described = guestSpec(row, boot, nicsOf(row), await deps.network.sliceFor(row.id), deps.config);
  const spec = incarnation === undefined ? described : { ...described, incarnation };
  const options = { timeout_ms: deps.config.boot_timeout * 1000, signal: ctx.signal };
  const report = await deps.nodes.call<GuestReport>(row.node_id!, computeMethods.spawn, { spec }, options);
  if (report.image_fetch !== undefined) ctx.log.info({ image_id: spec.image.id, host: row.host, ...report.image_fetch }, 'the boot brought its image to the node');
  await deps.network.setPlugged(row.id, true);
  return report;
}

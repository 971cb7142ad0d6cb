import { computeMethods, type GuestReport, type GuestSpec } from '../../../agents/compute/protocol.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import type { FlavorSnapshot } from '../model/flavors.ts';
import { flavorFields } from '../model/server-migrations.ts';
import { nicsOf } from '../model/server-row.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';
import { guestSpec } from './guest-spec.ts';
import { reservedDevices } from './guest-volumes.ts';
import type { TaskDeps } from './task-deps.ts';

export interface SpawnOptions extends Pick<GuestSpec, 'layer' | 'off' | 'incarnation'> {
  /** Left out: the server's own. */
  flavor?: FlavorSnapshot;
  timeout_ms?: number;
}

/**
 * The guest on the node where the server was placed; idempotent. With an `incarnation` it is made anew, as row and boot say now: what it wrote
 * goes with its container; its namespace, cables and addresses stay. Any name that only this making has (the id of the action): asked twice
 * with the same one, it is made once.
 */
export async function spawnOn(deps: TaskDeps, ctx: StepContext, row: ServerRow, boot: ServerBootRow, options: SpawnOptions = {}): Promise<GuestReport> {
  const { flavor, timeout_ms = deps.config.boot_timeout * 1000, ...how } = options;
  const wanted = flavor === undefined ? row : { ...row, ...flavorFields(flavor) };
  const devices = { nics: nicsOf(row), volumes: await reservedDevices(deps, row.id), network: await deps.network.sliceFor(row.id) };
  const spec = { ...guestSpec(wanted, boot, devices, deps.config), ...how };
  const report = await deps.nodes.call<GuestReport>(row.node_id!, computeMethods.spawn, { spec }, { timeout_ms, signal: ctx.signal });
  if (report.image_fetch !== undefined) ctx.log.info({ image_id: spec.image.id, host: row.host, ...report.image_fetch }, 'the boot brought its image to the node');
  await deps.network.setPlugged(row.id, how.off !== true);
  return report;
}

import { volumeMethods } from '../../../agents/volume/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { TaskDeps } from '../deps.ts';
import { garbage, messages } from '../store/rows.ts';

/** What nodes hold that they should not goes once they are there; messages whose time is over go. */
export function sweepJob(deps: TaskDeps): Job {
  return defineJob({
    name: 'block-storage.sweep',
    every_seconds: 60,
    async run() {
      for (const { id, node_id, volume_id } of await garbage.all(deps.db.read, [])) {
        if (!deps.nodes.isConnected(node_id)) continue;
        await deps.nodes.call(node_id, volumeMethods.remove, { volume_id }, { timeout_ms: deps.config.copy_timeout * 1000 });
        await deps.db.transaction((tx) => garbage.remove(tx, id));
      }
      const over = await messages.all(deps.db.read, [{ column: 'guaranteed_until', op: 'lt', value: isoMicros(deps.clock.now()) }]);
      await deps.db.transaction(async (tx) => {
        for (const { id } of over) await messages.remove(tx, id);
      });
    },
  });
}

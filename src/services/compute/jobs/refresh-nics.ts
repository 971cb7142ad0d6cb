/** Copies what networking says of a server's NICs into its row, where lists read it. */
import type { JobDeps } from '../deps.ts';
import { refreshNics } from '../model/server-nics.ts';

export interface NicRefresh {
  /** This server's addresses, groups or ports have changed. */
  changed(server_id: string): void;
  /** Resolves when all that was told so far has been copied. */
  idle(): Promise<void>;
}

const AT_ONCE = 200;

export function createNicRefresh(deps: JobDeps): NicRefresh {
  const waiting = new Set<string>();
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (waiting.size > 0) {
      const ids = [...waiting].slice(0, AT_ONCE);
      for (const id of ids) waiting.delete(id);
      try {
        await refreshNics(deps, ids);
      } catch (error) {
        deps.log.warn({ err: error, server_ids: ids }, 'the NICs of servers could not be copied');
      }
    }
  }

  return {
    changed(server_id) {
      waiting.add(server_id);
      running ??= Promise.resolve()
        .then(drain)
        .finally(() => {
          running = undefined;
        });
    },
    async idle() {
      while (running !== undefined) await running;
    },
  };
}

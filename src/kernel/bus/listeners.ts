import type { Log } from '../log/log.ts';

export interface Listeners<A extends unknown[]> {
  /** @returns how to stop. */
  add(listener: (...args: A) => void): () => void;
  tell(...args: A): void;
}

/** Those who want to be told at once; the failure of one is logged and harms no other. */
export function createListeners<A extends unknown[]>(log: Log): Listeners<A> {
  const all = new Set<{ listener: (...args: A) => void }>();
  return {
    add(listener) {
      const entry = { listener };
      all.add(entry);
      return () => all.delete(entry);
    },
    tell(...args) {
      for (const { listener } of all) {
        try {
          listener(...args);
        } catch (error) {
          log.error({ err: error }, 'a listener of the node link failed');
        }
      }
    },
  };
}

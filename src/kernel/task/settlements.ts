import type { TaskView } from './tasks.ts';

/** Who waits for which task to settle. */
export interface Settlements {
  wait(id: string): Promise<TaskView>;
  has(id: string): boolean;
  ids(): string[];
  resolve(id: string, task: TaskView): void;
  reject(id: string, error: Error): void;
  rejectAll(error: Error): void;
}

export function settlements(): Settlements {
  const waiting = new Map<string, PromiseWithResolvers<TaskView>>();

  function take(id: string): PromiseWithResolvers<TaskView> | undefined {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  }

  return {
    wait(id) {
      const found = waiting.get(id) ?? Promise.withResolvers<TaskView>();
      waiting.set(id, found);
      return found.promise;
    },
    has: (id) => waiting.has(id),
    ids: () => [...waiting.keys()],
    resolve: (id, task) => take(id)?.resolve(task),
    reject: (id, error) => take(id)?.reject(error),
    rejectAll(error) {
      for (const id of waiting.keys()) take(id)?.reject(error);
    },
  };
}

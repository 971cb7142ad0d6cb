/** Many may hold it shared (plugs of different devices) or one alone (an apply); in the order of asking. */
export interface SharedLock {
  shared<T>(work: () => Promise<T>): Promise<T>;
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function sharedLock(): SharedLock {
  let readers = new Set<Promise<unknown>>();
  let writer: Promise<unknown> = Promise.resolve();
  const settled = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {});
  return {
    shared(work) {
      const run = writer.then(work);
      const done = settled(run);
      const mine = readers;
      mine.add(done);
      void done.finally(() => mine.delete(done));
      return run;
    },
    alone(work) {
      const before = [writer, ...readers];
      readers = new Set();
      const run = Promise.all(before).then(work);
      writer = settled(run);
      return run;
    },
  };
}

/** One after the other for the same key; different keys do not wait for each other. */
export function keyedLock(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const run = (tails.get(key) ?? Promise.resolve()).then(work);
    const tail = run.catch(() => {}).then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    tails.set(key, tail);
    return run;
  };
}

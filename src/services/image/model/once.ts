/** Work that heals what it finds: one run at a time, and one more when something came while it ran. */
export interface Once {
  /** Soon. */
  poke(): void;
  /** @returns what the run, under way or begun now, did: a number for people */
  run(): Promise<number>;
}

export function createOnce(work: () => Promise<number>, failed: (error: unknown) => void): Once {
  let running: Promise<number> | undefined;
  let again = false;
  const run = (): Promise<number> => {
    again = running !== undefined;
    running ??= work().finally(() => {
      running = undefined;
      if (again) poke();
    });
    return running;
  };
  const poke = (): void => void run().catch(failed);
  return { poke, run };
}

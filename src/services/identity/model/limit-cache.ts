/** Limits that were asked for lately; forgotten as a whole whenever one changes. */
export class LimitCache {
  readonly #size: number;
  #known = new Map<string, Promise<number | undefined>>();

  constructor(size = 20_000) {
    this.#size = size;
  }

  forget(): void {
    this.#known = new Map();
  }

  async get(key: string, read: () => Promise<number | undefined>): Promise<number | undefined> {
    // What was asked before a change is answered from before it, and not kept.
    const known = this.#known;
    const found = known.get(key);
    if (found !== undefined) return await found;
    if (known.size >= this.#size) known.clear();
    const reading = read();
    known.set(key, reading);
    try {
      return await reading;
    } catch (error) {
      known.delete(key);
      throw error;
    }
  }
}

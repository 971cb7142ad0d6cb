import type { ValidToken } from './tokens.ts';

/**
 * Tokens that were found valid lately. What changes forgets exactly what it touches; a token whose validation was under
 * way during a change is not kept. Another controller's changes are noticed within `CHECK_EVERY`.
 */
export class TokenCache {
  readonly #entries = new Map<string, ValidToken>();
  readonly #byUser = new Map<string, Set<string>>();
  readonly #limit: number;
  #epoch = 0;
  #generation = 0;
  #checkedAt = -Infinity;

  constructor(limit = 20_000) {
    this.#limit = limit;
  }

  /** Changes whenever something was forgotten: hand it to `keep`. */
  get epoch(): number {
    return this.#epoch;
  }

  get(id: string): ValidToken | undefined {
    return this.#entries.get(id);
  }

  keep(id: string, token: ValidToken, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (this.#entries.size >= this.#limit) this.#drop(this.#entries.keys().next().value as string);
    this.#entries.set(id, token);
    const own = this.#byUser.get(token.auth.user_id) ?? new Set();
    this.#byUser.set(token.auth.user_id, own.add(id));
  }

  forgetUser(user_id: string): void {
    this.#epoch += 1;
    for (const id of this.#byUser.get(user_id) ?? []) this.#entries.delete(id);
    this.#byUser.delete(user_id);
  }

  forgetProject(project_id: string): void {
    this.#epoch += 1;
    for (const [id, token] of this.#entries) if (token.auth.project_id === project_id) this.#drop(id);
  }

  forgetAll(): void {
    this.#epoch += 1;
    this.#entries.clear();
    this.#byUser.clear();
  }

  /** A change of this process itself: nothing more is to be forgotten unless others came between. */
  reached(generation: number): void {
    if (generation === this.#generation + 1) this.#generation = generation;
  }

  /** Asks at most once a second whether another process changed something; true when it did. */
  async catchUp(now: number, read: () => Promise<number>): Promise<boolean> {
    if (now - this.#checkedAt < CHECK_EVERY && now >= this.#checkedAt) return false;
    this.#checkedAt = now;
    const generation = await read();
    if (generation <= this.#generation) return false;
    const first = this.#generation === 0;
    this.#generation = generation;
    if (!first) this.forgetAll();
    return !first;
  }

  #drop(id: string): void {
    const token = this.#entries.get(id);
    this.#entries.delete(id);
    if (token === undefined) return;
    const own = this.#byUser.get(token.auth.user_id);
    own?.delete(id);
    if (own?.size === 0) this.#byUser.delete(token.auth.user_id);
  }
}

/** Milliseconds. */
const CHECK_EVERY = 1000;

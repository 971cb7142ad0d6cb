import type { Clock } from '../../../kernel/clock.ts';

/** Signed requests that came once already do not count again, for as long as they would otherwise. */
export interface NonceGuard {
  /** False for what was seen before; else it is seen from now on. */
  isFirst(nonce: string): boolean;
}

const MOST = 100_000;

/** @param seconds how far the time of a request may be off, to either side */
export function createNonceGuard(clock: Clock, seconds: number): NonceGuard {
  const seen = new Map<string, number>();
  return {
    isFirst(nonce) {
      const now = clock.now().getTime();
      for (const [old, until] of seen) {
        if (until > now && seen.size < MOST) break;
        seen.delete(old);
      }
      if (seen.has(nonce)) return false;
      seen.set(nonce, now + 2 * seconds * 1000);
      return true;
    },
  };
}

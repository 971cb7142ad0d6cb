import type { Clock } from '../../../kernel/clock.ts';

/** Makes guessing slow: after many wrong passwords in a row a user waits, twice as long each time, up to a minute. */
export interface LoginGuard {
  /** False while the user has to wait. */
  mayTry(user: string): boolean;
  failed(user: string): void;
  passed(user: string): void;
}

const LONGEST = 60_000;
const MOST_USERS = 10_000;

export function createLoginGuard(clock: Clock, allowed: number): LoginGuard {
  const wrong = new Map<string, { count: number; until: number }>();
  return {
    mayTry: (user) => (wrong.get(user)?.until ?? 0) <= clock.now().getTime(),
    failed(user) {
      if (allowed === 0) return;
      const count = (wrong.get(user)?.count ?? 0) + 1;
      const wait = count < allowed ? 0 : Math.min(LONGEST, 500 * 2 ** (count - allowed));
      wrong.delete(user);
      wrong.set(user, { count, until: clock.now().getTime() + wait });
      if (wrong.size > MOST_USERS) wrong.delete(wrong.keys().next().value as string);
    },
    passed: (user) => void wrong.delete(user),
  };
}

/** Which failures of the kit are known. The list only ever shrinks: what is on it is still to be built. */
import { readFileSync } from 'node:fs';

export interface Known {
  regex: RegExp;
  reason: string;
}

/** The parts of the kit's summary.json that are read here. */
export interface Summary {
  seconds: number;
  totals: { expected: number; passed: number; failed: number; skipped: number; not_run: number };
  /** `tests`: ids of all tests that failed with it; a class set-up takes its whole class along. */
  failures: { id: string; tests: string[]; exception: string }[];
  /** Why the run was cut short; null when it was not. */
  stopped: string | null;
}

/** Lines of `regular expression TAB reason`; `#` begins a comment. @throws Error naming the line that is neither. */
export function readKnown(file: string): Known[] {
  return readFileSync(file, 'utf8').split('\n').flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [regex, reason] = line.split('\t');
    if (regex === undefined || reason === undefined || reason.trim() === '') throw new Error(`${file}:${index + 1}: a regular expression, a tab and a reason are expected`);
    return [{ regex: new RegExp(regex), reason: reason.trim() }];
  });
}

export interface Verdict {
  known: string[];
  unknown: string[];
  /** Entries that no failure matched; empty unless everything was run. */
  stale: Known[];
}

export function judge(summary: Summary, list: readonly Known[]): Verdict {
  // What was under way when the time was up says nothing.
  const ended = summary.failures.filter(({ exception }) => summary.stopped === null || !exception.startsWith('the test did not finish'));
  const failed = ended.flatMap(({ id, tests }) => (tests.length > 0 ? tests : [id]));
  const isKnown = (id: string): boolean => list.some(({ regex }) => regex.test(id));
  return {
    known: failed.filter(isKnown),
    unknown: failed.filter((id) => !isKnown(id)),
    stale: summary.totals.not_run > 0 ? [] : list.filter(({ regex }) => !failed.some((id) => regex.test(id))),
  };
}

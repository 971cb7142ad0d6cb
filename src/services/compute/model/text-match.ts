/** Patterns that users write, matched without giving them the processor. */
import { runInNewContext } from 'node:vm';
import { badRequest } from '../../../kernel/fault.ts';

const META = /[\\^$.|?*+()[\]{}]/;
/** ms for all values of one request together. */
const BUDGET_MS = 200;

/** Whether the text means itself as a pattern. */
export const isPlain = (pattern: string): boolean => !META.test(pattern);

/** Which of the values match. @throws Fault 400 for a pattern that is none, or that takes too long. */
export function matching(pattern: string, values: readonly (string | null)[]): boolean[] {
  const source = `const re = new RegExp(pattern); values.map((value) => value !== null && re.test(value))`;
  try {
    return [...(runInNewContext(source, { pattern, values: [...values] }, { timeout: BUDGET_MS }) as boolean[])];
  } catch (cause) {
    throw badRequest('compute.pattern-invalid', `The filter "${pattern.slice(0, 100)}" is not a regular expression that can be used here.`, { cause });
  }
}

/** One call of the client in the course of the run. */
export interface Step {
  command: string;
  args: (run: Scene) => (string | undefined)[];
  /** Columns of the answer to remember, by the name to remember them under; of a list, those of its first row. */
  save?: Record<string, string>;
  /** Environment in place of the administrator's. */
  env?: (run: Scene) => Record<string, string>;
  /** An ending that speaks of a fault of the client after the cloud has done what was asked. */
  clientFault?: { error: RegExp; why: string };
  /** An ending that is the right answer of a cloud that does not have this. */
  refusal?: { error: RegExp; why: string };
  /** Is called again until these columns of the answer have these values. */
  until?: Record<string, string>;
  /** The client is to see a terminal as its standard input. */
  terminal?: true;
  /** Prepares for others: not counted, since its command has a step of its own. */
  helper?: boolean;
}

/** What the steps share. */
export interface Scene {
  /** A name of our own: `name('user')`. */
  name(what: string): string;
  /** What an earlier step remembered. @throws when it did not come to that. */
  saved(what: string): string;
  /** Writes a file with this content; its path. */
  file(name: string, content: string): string;
  /** A path for a file that the client writes. */
  path(name: string): string;
}

export function step(command: string, args: Step['args'], more: Omit<Step, 'command' | 'args'> = {}): Step {
  return { command, args, ...more };
}

export function helper(command: string, args: Step['args'], more: Omit<Step, 'command' | 'args'> = {}): Step {
  return { command, args, helper: true, ...more };
}

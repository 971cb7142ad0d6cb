import type { Session } from '../api.ts';
import type { Output } from '../output.ts';
import type { Settings } from '../settings.ts';

export interface UpOptions {
  install: boolean;
  write: boolean;
  json: boolean;
  image: string | undefined;
}

/** What the steps hand on to each other. */
export interface UpContext {
  settings: Settings;
  options: UpOptions;
  output: Output;
  /** Undoes what this run started, last first, when a later step fails. */
  undo: { what: string; run(): Promise<unknown> }[];
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Says something while a step runs. */
  say(text: string): void;
  admin?: Session;
  hello_url?: string | undefined;
  clouds_yaml?: string | undefined;
}

export interface Step {
  /** Stable name in the event stream. */
  name: string;
  title: string;
  /** @returns a word on what was found or done. */
  run(context: UpContext): Promise<string | undefined>;
}

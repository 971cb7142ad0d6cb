/** Consoles, as the controller asks for them and a node gives them; the rest is in protocol.ts. */
import type { Readable, Writable } from 'node:stream';

/** `log`: what was written and is being written; `attach`: the main process as it is; `exec`: a program beside it. */
export type ConsoleMode = 'log' | 'attach' | 'exec';

export interface TerminalSize {
  cols: number;
  rows: number;
}

export interface ConsoleRequest {
  mode: ConsoleMode;
  /** For exec; null: the login shell. */
  command: string[] | null;
  /** Whether an exec gets a terminal. */
  tty: boolean;
  /** As whom; null: as the image says. */
  user?: string | null;
  /** A login begins in the user's own folder. */
  login?: boolean;
  size: TerminalSize;
  environment: Record<string, string>;
  /** Lines of the log to begin with. */
  tail: number;
}

/** Every message that a guest's console gives begins with one of these. */
export const consoleChannel = { stdout: 1, stderr: 2 } as const;

/** The node's answer to `openConsole`; the bytes are in the stream. */
export interface OpenedConsole {
  /** Whether what comes is meant for a terminal. */
  tty: boolean;
  /** Whether input goes anywhere. */
  input: boolean;
}

/** A console that is open on a node. */
export interface GuestConsole extends OpenedConsole {
  /** Messages of a channel's byte and the guest's bytes; ends with whatever is shown. */
  output: Readable;
  /** Where it may be dropped rather than hold up the guest. */
  lossy: boolean;
  stdin: Writable | null;
  resize(size: TerminalSize): Promise<void>;
  /** To an exec: `INT`, `TERM` … */
  signal(name: string): Promise<void>;
  /** After the output has ended: of an exec; null: there is none, or nobody knows. */
  exitCode(): Promise<number | null>;
  /** Lets go; an exec that still runs is hung up. Idempotent. */
  close(): void;
}

/** Beside the bytes of a console, as JSON: to the guest … */
export type ConsoleWord = { resize: TerminalSize } | { eof: true } | { signal: string };
/** … and from it. `exit` is the last. */
export type GuestWord = { exit: { code: number | null } } | { skipped: number };

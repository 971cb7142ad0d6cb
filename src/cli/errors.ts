/** A command failed for a reason that a person can act upon. */
export class CliError extends Error {
  /** Stable id, e.g. `GY-UP-API`. */
  readonly reason: string;
  /** The one next command, or advice. */
  readonly next: string | undefined;
  readonly log: string | undefined;

  constructor(reason: string, message: string, options: { next?: string; log?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.reason = reason;
    this.next = options.next;
    this.log = options.log;
  }
}

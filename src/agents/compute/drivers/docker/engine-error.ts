/** Why a call on the engine failed: `refused` has the HTTP status, the other two have none (0). */
export class EngineError extends Error {
  readonly reason: 'refused' | 'unreachable' | 'timeout';
  readonly status: number;

  constructor(reason: EngineError['reason'], status: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EngineError';
    this.reason = reason;
    this.status = status;
  }
}

export function isEngineStatus(error: unknown, status: number): error is EngineError {
  return error instanceof EngineError && error.status === status;
}

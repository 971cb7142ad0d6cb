/**
 * The one error that a user may see. `message` is public; `cause` goes to the log only.
 * `code` is stable for ever (`compute.flavor-not-found`); `type` is the name that a wire format
 * may show (neutron's `NetworkNotFound`). Any other error that reaches the edge becomes a bare 500.
 */
export class Fault extends Error {
  readonly status: number;
  readonly code: string;
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** More for the body, where the wire format has a place for it. */
  readonly detail: unknown;
  /** The same call may pass later: a node that is away, a database that restarts. */
  readonly retryable: boolean;

  constructor(status: number, code: string, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.status = status;
    this.code = code;
    this.type = options.type;
    this.headers = options.headers ?? {};
    this.detail = options.detail;
    this.retryable = options.retryable ?? false;
  }
}

export interface FaultOptions {
  type?: string;
  headers?: Record<string, string>;
  detail?: unknown;
  retryable?: boolean;
  cause?: unknown;
}

type Make = (code: string, message: string, options?: FaultOptions) => Fault;
const make =
  (status: number): Make =>
  (code, message, options) =>
    new Fault(status, code, message, options);

export const badRequest = make(400);
export const unauthorized = make(401);
export const forbidden = make(403);
export const notFound = make(404);
export const methodNotAllowed = make(405);
export const conflict = make(409);
export const gone = make(410);
export const preconditionFailed = make(412);
export const tooLarge = make(413);
export const unsupportedMediaType = make(415);
export const notImplemented = make(501);
export const unavailable = make(503);

export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}

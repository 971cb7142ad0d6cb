import { Fault, isFault } from '../fault.ts';

/** Changes whenever an older peer would misread a frame. */
export const PROTOCOL_VERSION = 1;
export const LINK_PATH = '/agent/v1';
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Why a controller ends a link; the reason beside it says it in words. */
export const closeCode = {
  replaced: 4001,
  malformed: 4400,
  bad_token: 4401,
  bad_key: 4403,
  unknown_node: 4404,
  handshake_timeout: 4408,
  duplicate_hostname: 4409,
  disabled: 4423,
  unsupported_version: 4426,
  failed: 4500,
} as const;

/** The agent's first message. With `join_token` it asks to be taken in under `node_id` and `key`. */
export interface Hello {
  protocol: number;
  node_id: string;
  /** At least 32 random bytes, base64url. */
  key: string;
  join_token?: string;
  hostname: string;
  roles: string[];
  tunnel_ip: string | null;
  host_ip: string | null;
}

/** The controller's answer; from then on both sides call each other. */
export interface Welcome {
  welcome: { node_id: string };
}

/** A fault as it crosses the wire: never a stack, never a cause. */
export interface WireError {
  status: number;
  code: string;
  message: string;
  type?: string;
  detail?: unknown;
  retryable?: boolean;
}

export type Frame =
  | { id: number; call: string; params?: unknown }
  | { id: number; fault: WireError }
  | { id: number; result?: unknown }
  | { event: string; params?: unknown };

/** @throws SyntaxError on anything but an object in JSON. */
export function parseFrame(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('a frame is an object');
  return value as Record<string, unknown>;
}

/** What is not a fault becomes a bare 500: the cause stays in the log of the side where it happened. */
export function toWireError(error: unknown): WireError {
  if (!isFault(error)) return { status: 500, code: 'bus.internal', message: 'The other side failed to carry out the call.' };
  const { status, code, message, type, detail, retryable } = error;
  return {
    status,
    code,
    message,
    ...(type !== undefined && { type }),
    ...(detail !== undefined && { detail }),
    ...(retryable && { retryable }),
  };
}

export function fromWireError(wire: unknown): Fault {
  const { status, code, message, type, detail, retryable } = (wire ?? {}) as Partial<WireError>;
  if (typeof status !== 'number' || !(status >= 400 && status <= 599) || typeof code !== 'string' || typeof message !== 'string') {
    return new Fault(500, 'bus.internal', 'The other side failed in a way that it could not tell.');
  }
  return new Fault(status, code, message, {
    ...(typeof type === 'string' && { type }),
    ...(detail !== undefined && { detail }),
    retryable: retryable === true,
  });
}

/**
 * What is said on the WebSocket of a console. With the subprotocol `gantry.console.v1` the first message is `{"open": …}`; then bytes are
 * binary, from the guest with a byte before them that says whence (1 stdout, 2 stderr), and words are JSON. Without it, or with nova's
 * `binary` and `base64`, there are the bytes of the main process alone.
 */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { ConsoleRequest } from '../../../agents/compute/console-protocol.ts';
import type { Message, Pipe } from '../../../kernel/bus/pipe.ts';

export const CONSOLE_PROTOCOL = 'gantry.console.v1';

const FIRST_MESSAGE_MS = 10_000;
const SIZE = { cols: 80, rows: 24 };
const TAIL = 200;

const side = Type.Integer({ minimum: 1, maximum: 1000 });
const First = Type.Object({
  open: Type.Object({
    mode: Type.Union([Type.Literal('log'), Type.Literal('attach'), Type.Literal('exec')]),
    command: Type.Optional(Type.Array(Type.String({ maxLength: 65_536 }), { minItems: 1, maxItems: 1024 })),
    tty: Type.Optional(Type.Boolean()),
    size: Type.Optional(Type.Object({ cols: side, rows: side })),
    environment: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String({ maxLength: 4096 }), { maxProperties: 64 })),
    tail: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
  }, { additionalProperties: false }),
});

/** Undefined: it is malformed, or did not come. */
export function firstRequest(pipe: Pipe, own: boolean): Promise<ConsoleRequest | undefined> {
  const raw: ConsoleRequest = { mode: 'attach', command: null, tty: true, size: SIZE, environment: {}, tail: TAIL };
  if (!own) return Promise.resolve(raw);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), FIRST_MESSAGE_MS);
    pipe.onClose(() => resolve(undefined));
    pipe.onMessage((message) => {
      clearTimeout(timer);
      // The next one is for the guest.
      pipe.pause();
      resolve(typeof message === 'string' ? parse(message) : undefined);
    });
  });
}

function parse(text: string): ConsoleRequest | undefined {
  try {
    const { open } = Value.Parse(First, JSON.parse(text));
    return { mode: open.mode, command: open.command ?? null, tty: open.tty ?? true, size: open.size ?? SIZE, environment: open.environment ?? {}, tail: open.tail ?? TAIL };
  } catch {
    return undefined;
  }
}

/** Undefined: nothing for the guest. */
export function toGuest(message: Message, protocol: string): Message | undefined {
  if (protocol === CONSOLE_PROTOCOL) return message;
  if (typeof message !== 'string') return message;
  return Buffer.from(message, protocol === 'base64' ? 'base64' : 'utf8');
}

export function fromGuest(message: Message, protocol: string): Message | undefined {
  if (protocol === CONSOLE_PROTOCOL) return message;
  if (typeof message === 'string') return undefined;
  const bytes = message.subarray(1);
  return protocol === 'base64' ? bytes.toString('base64') : bytes;
}

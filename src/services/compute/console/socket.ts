/** The WebSocket of consoles: from a browser or a client of nova's serial consoles to the node where the server is. */
import type { OpenedConsole } from '../../../agents/compute/console-protocol.ts';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import { forward, type Message, type Pipe } from '../../../kernel/bus/pipe.ts';
import { type Fault, isFault } from '../../../kernel/fault.ts';
import type { SocketRequest, SocketRoute } from '../../../kernel/http/sockets.ts';
import type { JobDeps } from '../deps.ts';
import { allowReopening, CONSOLE_PATH, type ConsoleAccess, findConsole } from '../model/consoles.ts';
import { CONSOLE_PROTOCOL, firstRequest, fromGuest, toGuest } from './messages.ts';
import { mayOpenFrom, tokenOf } from './request.ts';

/** Why a console is closed; beside them 1000: it has ended. */
export const consoleClose = { token: 4401, origin: 4403, refused: 4409, timeout: 4408, too_many: 4429, lost: 1011 } as const;

const OPEN_MS = 40_000;
const CHECK_MS = 1_000;
/** Pasted at once. */
const MAX_INPUT_BYTES = 1024 * 1024;

type Deps = Pick<JobDeps, 'db' | 'clock' | 'log' | 'config' | 'nodes'>;

export function consoleSocket(deps: Deps): SocketRoute {
  const open = new Map<string, number>();
  return {
    path: CONSOLE_PATH,
    protocols: [CONSOLE_PROTOCOL, 'binary', 'base64'],
    max_message_bytes: MAX_INPUT_BYTES,
    max_open: deps.config.console_max_open,
    async serve(pipe, request) {
      if (!mayOpenFrom(request.headers, deps.config.console_allowed_origins)) return pipe.close(consoleClose.origin, 'Pages of other hosts may not open this console.');
      const access = await findConsole(deps, tokenOf(request));
      if (access === undefined) return pipe.close(consoleClose.token, 'The link to this console has expired or was taken back.');
      const { id } = access.server;
      const others = open.get(id) ?? 0;
      if (others >= deps.config.console_max_open_per_server) return pipe.close(consoleClose.too_many, 'Too many consoles of this server are open.');
      open.set(id, others + 1);
      pipe.onClose(() => {
        const left = (open.get(id) ?? 1) - 1;
        if (left === 0) open.delete(id);
        else open.set(id, left);
      });
      await serve(deps, pipe, request, access);
    },
  };
}

async function serve(deps: Deps, pipe: Pipe, request: SocketRequest, access: ConsoleAccess): Promise<void> {
  const own = request.protocol === CONSOLE_PROTOCOL;
  const wanted = await firstRequest(pipe, own);
  if (wanted === undefined) return pipe.close(consoleClose.refused, 'The first message asks for no console that there is.');
  const { server, token } = access;
  const refuse = (code: string, message: string): void => {
    if (own) pipe.send(JSON.stringify({ error: { code, message } }));
    pipe.close(consoleClose.refused, message);
  };
  if (!deps.config.console_modes.includes(wanted.mode)) return refuse('compute.console-mode-off', `Consoles of this cloud are not for ${wanted.mode}.`);
  if (server.node_id === null) return refuse('compute.server-not-ready', `Instance ${server.id} is not ready`);
  let guest: { pipe: Pipe; reply: OpenedConsole };
  try {
    guest = await deps.nodes.openStream<OpenedConsole>(server.node_id, computeMethods.openConsole, { server_id: server.id, request: wanted }, { timeout_ms: OPEN_MS });
  } catch (error) {
    if (!isFault(error)) throw error;
    return refuse(error.code, publicWords(error));
  }
  if (!pipe.isOpen()) return guest.pipe.close(1000, 'nobody is there any more');
  if (own) pipe.send(JSON.stringify({ opened: { server: { id: server.id, name: server.name }, mode: wanted.mode, ...guest.reply } }));
  const facts = { server_id: server.id, user_id: token.user_id, project_id: token.project_id, mode: wanted.mode, remote_address: request.remote_address };
  deps.log.info(facts, 'a console was opened');
  relay(deps, pipe, guest.pipe, request.protocol, (bytes) => {
    deps.log.info({ ...facts, ...bytes }, 'a console was closed');
    allowReopening(deps, token).catch((error: unknown) => deps.log.warn({ err: error }, 'a console token could not be prolonged'));
  });
}

/** Of the node's own failures no more is told than that. */
const publicWords = (fault: Fault): string => (fault.status === 500 ? 'The node could not open the console.' : fault.message);

function relay({ config }: Deps, client: Pipe, guest: Pipe, protocol: string, done: (bytes: { sent: number; received: number }) => void): void {
  const bytes = { sent: 0, received: 0 };
  const begun = performance.now();
  let moved = begun;
  const count = (what: 'sent' | 'received', message: Message): void => {
    moved = performance.now();
    bytes[what] += message.length;
  };
  const limits = setInterval(() => {
    const now = performance.now();
    if (config.console_idle_timeout > 0 && now - moved > config.console_idle_timeout * 1000) client.close(consoleClose.timeout, 'Nothing was written for a long time.');
    else if (config.console_max_time > 0 && now - begun > config.console_max_time * 1000) client.close(consoleClose.timeout, 'The console was open for as long as it may.');
  }, CHECK_MS);
  limits.unref();
  client.onClose(() => {
    clearInterval(limits);
    guest.close(1000, 'the client has left');
    done(bytes);
  });
  guest.onClose((code) => client.close(code === 1000 ? 1000 : consoleClose.lost, code === 1000 ? 'The console has ended.' : 'The node of this server has lost the console.'));
  forward(client, guest, (message) => {
    count('received', message);
    return toGuest(message, protocol);
  });
  forward(guest, client, (message) => {
    count('sent', message);
    return fromGuest(message, protocol);
  });
}

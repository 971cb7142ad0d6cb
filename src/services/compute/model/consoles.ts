/** Who may open the console of a server: whoever has a token, which is for one server and expires. */
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ComputeDeps } from '../deps.ts';
import { type ConsoleTokenRow, findConsoleToken, insertConsoleToken, prolongConsoleToken } from '../store/console-tokens.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';

/** Where the page and its WebSocket are, on the port of the API. */
export const CONSOLE_PATH = '/console/';

export type ConsoleProtocol = 'vnc' | 'serial' | 'spice' | 'rdp' | 'mks';

/** After a connection has broken, for opening it again. */
const GRACE_MS = 60_000;

type Deps = Pick<ComputeDeps, 'db' | 'clock' | 'config'>;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const readerOf = (deps: Pick<Deps, 'db'>): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/**
 * A token for the console of a server.
 * @param method nova's name of the call, for its words.
 * @throws Fault 409 while there is no guest; 400 for protocols and types that containers do not have.
 */
export async function createConsole(deps: Deps, ctx: Context, row: ServerRow, asked: { protocol: ConsoleProtocol; type: string; method: string }): Promise<string> {
  const { protocol, type, method } = asked;
  if (protocol === 'rdp') throw unavailableType('rdp');
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  if (row.task_state === 'deleting' || row.task_state === 'migrating') {
    throw conflict('compute.invalid-state', `Cannot '${method}' instance ${row.id} while it is in task_state ${row.task_state}`);
  }
  if (protocol === 'spice' || protocol === 'mks') throw unavailableType(type);
  if (protocol === 'vnc' && type !== 'novnc') throw badRequest('compute.console-type-invalid', `Invalid console type ${type}`);
  const token = uuid();
  const now = deps.clock.now();
  await deps.db.transaction(async (raw) => {
    await insertConsoleToken(asTransaction<ComputeTables>(raw), {
      token_hash: hashOf(token), server_id: row.id, console_type: type, created_at: isoMicros(now),
      expires_at: isoMicros(new Date(now.getTime() + deps.config.console_token_ttl * 1000)),
      user_id: ctx.auth?.user_id ?? null, project_id: ctx.auth?.project_id ?? null,
    });
  });
  return token;
}

const unavailableType = (type: string) => badRequest('compute.console-type-unavailable', `Unavailable console type ${type}.`);

export interface ConsoleAccess {
  token: ConsoleTokenRow;
  server: ServerRow;
}

/** Undefined: the token is none, has expired, or its server is gone. */
export async function findConsole(deps: Pick<Deps, 'db' | 'clock'>, token: string): Promise<ConsoleAccess | undefined> {
  const row = await findConsoleToken(readerOf(deps), hashOf(token));
  if (row === undefined || row.expires_at <= isoMicros(deps.clock.now())) return undefined;
  const server = await findServer(readerOf(deps), row.server_id);
  return server === undefined || server.deleted === 1 ? undefined : { token: row, server };
}

/** For `GET /os-console-auth-tokens/{token}`. @throws Fault 404 */
export async function showConsoleToken(deps: Pick<Deps, 'db' | 'clock'>, token: string): Promise<ServerRow> {
  const access = await findConsole(deps, token);
  if (access === undefined) throw notFound('compute.console-token-not-found', 'Token not found');
  return access.server;
}

/** A connection has ended that was open until now: it may be opened again for a moment, however old its token is. */
export async function allowReopening(deps: Pick<Deps, 'db' | 'clock'>, token: ConsoleTokenRow): Promise<void> {
  const until = isoMicros(new Date(deps.clock.now().getTime() + GRACE_MS));
  await deps.db.transaction((raw) => prolongConsoleToken(asTransaction<ComputeTables>(raw), token.token_hash, until));
}

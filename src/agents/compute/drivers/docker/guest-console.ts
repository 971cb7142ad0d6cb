/** Consoles of guests: their log as it grows, their main process, and programs beside it. */
import { PassThrough, type Readable, Transform, type TransformCallback } from 'node:stream';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { badRequest } from '../../../../kernel/fault.ts';
import { consoleChannel, type ConsoleRequest, type GuestConsole } from '../../console-protocol.ts';
import { readConsole } from './console.ts';
import type { DriverContext } from './driver-context.ts';
import type { Hijacked } from './engine-hijack.ts';
import type { ContainerInspect } from './engine-types.ts';
import { isEngineStatus } from './engine-error.ts';
import { hangUp, signalExec } from './exec-process.ts';
import { createPieceReader } from './frames.ts';
import { unknownServer, wrongState } from './faults.ts';
import { inspectContainer, needContainer } from './guests.ts';
import { LOGIN_SHELL } from './login-shell.ts';

/** Docker's own keys for leaving would swallow control-p, which shells use. Nobody types these. */
const DETACH_KEYS = 'ctrl-^,ctrl-@,ctrl-^';
const MAX_TAIL = 10_000;
const RESIZE_ATTEMPTS = 10;
const RESIZE_MS = 20;
/** A guest that writes nothing for this long is followed no more. */
const SILENCE_MS = 24 * 3_600_000;

/** @throws Fault 404, 409, or EngineError */
export async function openConsole(ctx: DriverContext, serverId: string, request: ConsoleRequest): Promise<GuestConsole> {
  const found = await needContainer(ctx, serverId);
  const container = await inspectContainer(ctx, found.Id);
  if (container === undefined) throw unknownServer(serverId);
  const tail = Math.min(Math.max(0, Math.trunc(request.tail)), MAX_TAIL);
  if (request.mode === 'log') return await openLog(ctx, container, tail);
  if (!container.State.Running || container.State.Paused) throw wrongState(serverId, 'use the console of', container.State.Status);
  return request.mode === 'attach' ? await attach(ctx, container, tail, request) : await exec(ctx, container, request);
}

const nothing = { resize: async () => {}, signal: async () => {}, exitCode: async () => null };

async function openLog({ engine }: DriverContext, container: ContainerInspect, tail: number): Promise<GuestConsole> {
  const tty = container.Config.Tty;
  const log = await engine.stream('GET', `/containers/${container.Id}/logs`, { query: { stdout: 1, stderr: 1, follow: 1, tail }, timeout_ms: SILENCE_MS });
  return { ...nothing, tty, input: false, lossy: false, stdin: null, output: labelled(log, tty), close: () => void log.destroy() };
}

async function attach(ctx: DriverContext, container: ContainerInspect, tail: number, { size }: ConsoleRequest): Promise<GuestConsole> {
  const { engine } = ctx;
  const { OpenStdin: input, Tty: tty } = container.Config;
  const before = tail === 0 ? '' : await readConsole(engine, container.Id, tail, { tty });
  const query = { stream: 1, stdin: input ? 1 : 0, stdout: 1, stderr: 1, detachKeys: DETACH_KEYS };
  const { socket, head } = await engine.hijack(`/containers/${container.Id}/attach`, { query });
  const resize: GuestConsole['resize'] = async ({ cols, rows }) => {
    if (tty) await engine.json('POST', `/containers/${container.Id}/resize`, { query: { w: cols, h: rows } });
  };
  await resize(size).catch(() => {});
  const output = labelled(socket, tty, head);
  if (before !== '') output.unshift(Buffer.concat([Buffer.from([consoleChannel.stdout]), Buffer.from(tty ? before.replaceAll('\n', '\r\n') : before)]));
  // A reader that is slow may not make the guest wait for room to write.
  return { ...nothing, tty, input, lossy: true, stdin: input ? withoutEnd(socket) : null, output, resize, close: () => void socket.destroy() };
}

/** The main process keeps its input when a visitor's has ended. */
function withoutEnd(socket: Socket): PassThrough {
  const stdin = new PassThrough();
  stdin.on('data', (chunk: Buffer) => {
    if (socket.destroyed || socket.write(chunk)) return;
    stdin.pause();
    socket.once('drain', () => stdin.resume());
  });
  return stdin;
}

/** A terminal has no end; programs take control-D for it. */
function terminalInput(socket: Socket): PassThrough {
  const stdin = withoutEnd(socket);
  stdin.once('end', () => void (socket.writable && socket.write('\x04')));
  return stdin;
}

async function exec(ctx: DriverContext, container: ContainerInspect, request: ConsoleRequest): Promise<GuestConsole> {
  const { engine } = ctx;
  const { tty, size, environment } = request;
  const { Id } = await engine.json<{ Id: string }>('POST', `/containers/${container.Id}/exec`, {
    body: {
      AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty, DetachKeys: DETACH_KEYS,
      Cmd: commandOf(request),
      ...(request.user == null ? {} : { User: request.user }),
      Env: Object.entries({ ...(tty ? { TERM: 'xterm-256color' } : {}), ...environment }).map(([name, value]) => `${name}=${value}`),
    },
  });
  const { socket, head } = await start(ctx, Id, request);
  const resize: GuestConsole['resize'] = async ({ cols, rows }) => {
    if (tty) await engine.json('POST', `/exec/${Id}/resize`, { query: { w: cols, h: rows } });
  };
  if (tty) void soon(() => resize(size));
  return {
    tty, input: true, lossy: false, output: labelled(socket, tty, head), stdin: tty ? terminalInput(socket) : socket, resize,
    signal: async (name) => void (await signalExec(engine, container.Id, Id, `SIG${name}` as NodeJS.Signals)),
    async exitCode() {
      const done = await engine.json<{ ExitCode: number | null; Running: boolean }>('GET', `/exec/${Id}/json`);
      return done.Running ? null : done.ExitCode;
    },
    close() {
      socket.destroy();
      hangUp(engine, container.Id, Id).catch((error: unknown) => ctx.log.warn({ err: error }, 'a program beside a guest could not be ended'));
    },
  };
}

function commandOf({ command, login }: ConsoleRequest): string[] {
  if (login !== true) return command ?? ['/bin/sh', '-c', LOGIN_SHELL];
  return ['/bin/sh', '-c', `cd "$HOME" 2>/dev/null\n${command === null ? LOGIN_SHELL : 'exec "$@"'}`, 'sh', ...(command ?? [])];
}

/** Engines before API 1.42 know the size of a terminal only once its program runs, and say so by an error. */
async function soon(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < RESIZE_ATTEMPTS; attempt += 1) {
    try {
      return await work();
    } catch {
      await delay(RESIZE_MS);
    }
  }
}

async function start({ engine }: DriverContext, id: string, { tty, command, size }: ConsoleRequest): Promise<Hijacked> {
  try {
    return await engine.hijack(`/exec/${id}/start`, { body: { Detach: false, Tty: tty, ...(tty ? { ConsoleSize: [size.rows, size.cols] } : {}) } });
  } catch (error) {
    if (!isEngineStatus(error, 400)) throw error;
    throw badRequest('compute.exec-failed', command === null ? 'The image of this server has no shell.' : `The program ${JSON.stringify(command[0] ?? '')} could not be run in this server.`, { cause: error });
  }
}

/** A terminal's bytes come as they are, others in frames. */
function labelled(source: Readable, tty: boolean, head: Buffer = Buffer.alloc(0)): Transform {
  const pieces = createPieceReader();
  const stdout = Buffer.from([consoleChannel.stdout]);
  const out = new Transform({
    readableObjectMode: true,
    // In messages, not bytes.
    readableHighWaterMark: 16,
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      if (tty) this.push(Buffer.concat([stdout, chunk]));
      else for (const { stream, payload } of pieces.push(chunk)) this.push(Buffer.concat([Buffer.from([stream]), payload]));
      done();
    },
  });
  source.on('error', () => out.end());
  source.once('close', () => out.end());
  if (head.length > 0) out.write(head);
  source.pipe(out);
  return out;
}

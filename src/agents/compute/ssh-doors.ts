/**
 * Listens for ssh where servers do not: on port 22 of their own addresses, within their network namespaces, behind their
 * security groups. The bytes go to the controller as they are; nothing of them is read here.
 */
import { spawn } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { AgentLink } from '../../kernel/bus/agent-link.ts';
import { joinStream } from '../../kernel/bus/pipe-duplex.ts';
import type { Log } from '../../kernel/log/log.ts';
import { createGate } from '../../kernel/gate.ts';
import { computeMethods, type ComputeDriver, type GuestReport } from './protocol.ts';

const CHILD = join(import.meta.dirname, 'ssh-door-child.ts');
const CHILD_MS = 20_000;
/** Of one server at a time. */
const MAX_CONNECTIONS = 16;

export interface SshDoorsOptions {
  driver: Pick<ComputeDriver, 'sshDoor' | 'list' | 'onChange'>;
  link: Pick<AgentLink, 'call' | 'openStream' | 'onConnect'>;
  log: Log;
}

export interface SshDoors {
  /** Around a spawn: the guest that comes may have an ssh server, and finds its port free. */
  whileSpawning(server_id: string, spawn: () => Promise<GuestReport>): Promise<GuestReport>;
  close(): void;
}

/** Keeps a listener for each running server that needs one. */
export function keepSshDoors({ driver, link, log }: SshDoorsOptions): SshDoors {
  const doors = new Map<string, Server>();
  const wanted = new Set<string>();
  // Starting processes is work; servers that boot come first.
  const gate = createGate(1);
  let closed = false;

  const shut = (server_id: string): void => {
    wanted.delete(server_id);
    doors.get(server_id)?.close();
    doors.delete(server_id);
  };
  const open = async (server_id: string): Promise<void> => {
    const netns = await driver.sshDoor?.(server_id);
    if (netns === undefined || closed || !wanted.has(server_id)) return;
    const server = await listenIn(netns);
    if (server === undefined) return log.info({ server_id }, 'the server has its port of ssh in use already');
    if (closed || !wanted.has(server_id)) return void server.close();
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => void knock(link, log, server_id, socket));
    server.on('error', (error) => log.warn({ err: error, server_id }, 'listening for ssh failed'));
    doors.set(server_id, server);
    log.debug({ server_id }, 'listening for ssh on behalf of a server');
  };
  const running = (server_id: string): void => {
    if (closed || driver.sshDoor === undefined || wanted.has(server_id)) return;
    wanted.add(server_id);
    gate.run(() => open(server_id)).catch((error: unknown) => {
      wanted.delete(server_id);
      log.warn({ err: error, server_id }, 'nobody listens for ssh on behalf of a server');
    });
  };
  driver.onChange(({ server_id, power_state }) => {
    if (power_state === 'running') running(server_id);
    else if (power_state !== 'paused') shut(server_id);
  });
  const unhook = link.onConnect(async () => {
    for (const { server_id, power_state } of await driver.list()) if (power_state === 'running') running(server_id);
  });
  return {
    async whileSpawning(server_id, spawn) {
      shut(server_id);
      const report = await spawn();
      if (report.power_state === 'running') running(server_id);
      return report;
    },
    close() {
      closed = true;
      unhook();
      for (const server_id of doors.keys()) shut(server_id);
    },
  };
}

/** Undefined: the port is taken. @throws Error */
function listenIn(netns: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${netns}`, process.execPath, '--disable-warning=ExperimentalWarning', CHILD], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: {} });
    const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_MS);
    child.once('message', (_message, handle) => {
      child.kill('SIGKILL');
      resolve(handle as Server);
    });
    child.on('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (code === 98) resolve(undefined);
      else reject(new Error(`the helper that listens ended with ${code}`));
    });
  });
}

async function knock(link: SshDoorsOptions['link'], log: Log, server_id: string, socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.pause();
  try {
    const { stream_id } = await link.call<{ stream_id: string }>(computeMethods.sshKnock, { server_id, remote_address: socket.remoteAddress ?? '' }, { timeout_ms: 10_000 });
    joinStream(socket, await link.openStream(stream_id));
    socket.resume();
  } catch (error) {
    log.debug({ err: error, server_id }, 'a connection of ssh was not taken');
    socket.destroy();
  }
}

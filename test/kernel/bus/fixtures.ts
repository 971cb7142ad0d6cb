import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createConnection, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectToController, type AgentLink, type AgentLinkOptions } from '../../../src/kernel/bus/agent-link.ts';
import { createNodeLink, type NodeLink, type NodeLinkOptions } from '../../../src/kernel/bus/node-link.ts';
import { nodeMigrations } from '../../../src/kernel/bus/node-migrations.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import type { Database } from '../../../src/kernel/db/database.ts';
import { migrate } from '../../../src/kernel/db/migrate.ts';
import { openDatabase } from '../../../src/kernel/db/open.ts';
import { silentLog, type Log } from '../../../src/kernel/log/log.ts';

/** Resolves once `holds` does; a test that waits for ever is ended by the runner. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to pass in 20 s');
    await sleep(5);
  }
}

/** A log that remembers what was said. */
export function memoryLog(): Log & { said: string[] } {
  const said: string[] = [];
  const say = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { said, debug: say, info: say, warn: say, error: say, child: () => log };
  return log;
}

export const TOKEN = 'a token for joining';
export const quick = { min_ms: 5, max_ms: 40 };

export interface House {
  dir: string;
  db: Database;
  server: Server;
  port: number;
  link: NodeLink;
  agent(change?: Partial<AgentLinkOptions>): AgentLink;
  /** Another controller over the same rows and port, after `stop`. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A controller over a database of its own on a free port, and agents at will; all gone after the test. */
export async function house(t: TestContext, change: Partial<NodeLinkOptions> = {}, onRequest?: (house: House) => RequestListener): Promise<House> {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-bus-'));
  const db = await openDatabase(`sqlite:${dir}/cloud.db?durable=no`, silentLog);
  await migrate(db, nodeMigrations);
  const agents: AgentLink[] = [];
  const made = { dir, db, port: 0 } as House;
  made.start = async () => {
    made.server = createServer((request, response) => onRequest?.(made)(request, response));
    made.link = createNodeLink({ log: silentLog, clock: systemClock, db, joinToken: () => TOKEN, ...change });
    made.link.attach(made.server);
    made.server.listen(made.port, '127.0.0.1');
    await once(made.server, 'listening');
    made.port = (made.server.address() as AddressInfo).port;
  };
  made.stop = async () => {
    await made.link.close();
    made.server.closeAllConnections();
    made.server.close();
  };
  made.agent = (own = {}) => {
    const agent = connectToController({
      url: `ws://127.0.0.1:${made.port}`, identityFile: join(dir, 'a', 'identity.json'), joinToken: TOKEN, hostname: 'a',
      roles: ['compute', 'network'], handlers: {}, log: silentLog, backoff: quick, ...own,
    });
    agents.push(agent);
    return agent;
  };
  t.after(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await made.stop();
    await db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  await made.start();
  return made;
}

export interface Wire {
  port: number;
  /** Nothing passes any more, and no one is told: a pulled cable. */
  freeze(): void;
  thaw(): void;
  /** Both ends are told at once. */
  cut(): void;
  bytes(): number;
}

/** A cable between an agent and the controller that can be pulled. */
export async function wire(t: TestContext, to: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let frozen = false;
  let bytes = 0;
  const server = createTcpServer((near) => {
    const far = createConnection(to, '127.0.0.1');
    for (const [from, into] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        bytes += chunk.length;
        if (!frozen) into.write(chunk);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        if (!frozen) into.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    frozen = false;
    cut();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => void (frozen = true),
    thaw: () => void (frozen = false),
    cut,
    bytes: () => bytes,
  };
}

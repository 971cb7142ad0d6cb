/** Networking alone over real HTTP, with made-up callers and nodes. */
import { Value } from 'typebox/value';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import type { Database } from '../../../src/kernel/db/database.ts';
import { NetworkSection, type NetworkConfig } from '../../../src/services/network/config.ts';
import { createNetworkService, type NetworkService } from '../../../src/services/network/index.ts';
import type { NodeView } from '../../../src/services/network/deps.ts';
import { migrations } from '../../../src/services/network/store/migrations/index.ts';
import { freshDatabase } from '../../support/database.ts';
import { serveSurfaces, testAuth, type TestResponse, type TestSurface } from '../../support/surface.ts';

export const DEMO = 'd'.repeat(32);
export const OTHER = 'e'.repeat(32);
export const ADMIN = 'a'.repeat(32);

export const callers = {
  demo: testAuth({ project_id: DEMO, user_id: '1'.repeat(32) }),
  other: testAuth({ project_id: OTHER, user_id: '2'.repeat(32) }),
  reader: testAuth({ project_id: DEMO, user_id: '3'.repeat(32), roles: ['reader'] }),
  admin: testAuth({ project_id: ADMIN, user_id: '4'.repeat(32), roles: ['admin', 'manager', 'member', 'reader'] }),
};

export type Caller = keyof typeof callers;

export interface NetworkFixture {
  network: NetworkService;
  surface: TestSurface;
  db: Database;
  nodes: NodeView[];
  pokes: { node_id: string; generation: number }[];
  deleteProject(id: string): void;
  /** Unnoticed: nobody is told. */
  loseProject(id: string): void;
  call(method: string, path: string, body?: unknown, token?: Caller, headers?: Record<string, string>): Promise<TestResponse>;
  /** Creates, and gives what was made; fails the test otherwise. */
  make(path: string, item: Record<string, unknown>, token?: Caller): Promise<any>;
  close(): Promise<void>;
}

export async function startNetwork(config: Partial<NetworkConfig> = {}): Promise<NetworkFixture> {
  const { db, close } = await freshDatabase(migrations);
  const nodes: NodeView[] = ['one', 'two'].map((name, at) => ({
    id: `node-${name}`, hostname: name, roles: ['compute', 'network'], state: 'up', last_seen_at: '2026-01-31T12:00:00.000000Z', created_at: '2026-01-30T12:00:00.000000Z', tunnel_ip: `192.0.2.${at + 1}`,
  }));
  const pokes: NetworkFixture['pokes'] = [];
  const deletions: ((id: string) => void)[] = [];
  const gone = new Set<string>();
  const network = createNetworkService({
    db, clock: systemClock, log: silentLog,
    config: { ...(Value.Default(NetworkSection, {}) as NetworkConfig), ...config },
    nodes: {
      nodes: () => nodes,
      async call(node_id, _method, parameters) {
        pokes.push({ node_id, generation: (parameters as { generation: number }).generation });
      },
    },
    identity: {
      onProjectDeleted: (listener) => void deletions.push(listener),
      findProject: async (id) => (gone.has(id) ? undefined : { id, name: id, domain_id: 'default', enabled: true }),
    },
  });
  const surface = await serveSurfaces([network.service], callers);
  const call: NetworkFixture['call'] = (method, path, body, token = 'demo', headers = {}) =>
    surface.call(method, `/networking${path}`, { token, headers, ...(body === undefined ? {} : { body }) });
  return {
    network, surface, db, nodes, pokes, call,
    loseProject: (id) => void gone.add(id),
    deleteProject: (id) => deletions.forEach((listener) => listener(id)),
    async make(path, item, token = 'demo') {
      const name = path.replaceAll('-', '_').replace(/s$/, '');
      const response = await call('POST', `/v2.0/${path}`, { [name]: item }, token);
      if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${response.text}`);
      return response.json[name];
    },
    async close() {
      await surface.close();
      await close();
    },
  };
}

/** For a /24: ports get their addresses by chance, and those that a test asks for by name (below .100 or from .200) are never among them. */
export function poolOf(cidr: string): { allocation_pools?: { start: string; end: string }[] } {
  const prefix = /^(\d+\.\d+\.\d+)\.0\/24$/.exec(cidr)?.[1];
  return prefix === undefined ? {} : { allocation_pools: [{ start: `${prefix}.100`, end: `${prefix}.199` }] };
}

/** `{ type, message }` of a neutron error. */
export function fault(response: TestResponse): { status: number; type: string; message: string } {
  const { type, message } = response.json.NeutronError;
  return { status: response.status, type, message };
}

/** What a cloud believes: the rows that have something on a node, and those that hold something for it. */
import type { Kysely } from 'kysely';
import { openDatabase } from '../../src/kernel/db/open.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { LEFT_BEHIND, OPEN } from '../../src/services/compute/model/server-migrations.ts';

export interface ServerRow {
  id: string;
  node_id: string | null;
  project_id: string;
  vm_state: string;
  task_state: string | null;
  launched_at: string | null;
  vcpus: number;
  ram_mb: number;
}

export interface PortRow {
  id: string;
  network_id: string;
  project_id: string;
  device_id: string;
  device_owner: string;
  node_id: string | null;
  plugged: number;
}

export interface TaskRow {
  id: string;
  kind: string;
  resource: string;
  state: string;
  error: string | null;
}

export interface RowView {
  /** Without the deleted ones. */
  servers: Map<string, ServerRow>;
  ports: Map<string, PortRow>;
  addresses: { subnet_id: string; ip_address: string; port_id: string }[];
  networks: Set<string>;
  groups: Set<string>;
  /** Running, undoing or stuck. */
  tasks: TaskRow[];
  allocations: { consumer_id: string; resource_class: string; used: number }[];
  /** Moves that hold something until their server's user, or the host that it left, has had a word: by uuid. */
  moves: Set<string>;
  boots: string[];
}

/** Reads all in one go from the database that the controller may be using. */
export async function readRows(url: string): Promise<RowView> {
  const database = await openDatabase(url, silentLog);
  const db = database.read as Kysely<any>;
  try {
    const servers = (await db.selectFrom('compute_servers').select(['id', 'node_id', 'project_id', 'vm_state', 'task_state', 'launched_at', 'vcpus', 'ram_mb']).where('deleted', '=', 0).execute()) as ServerRow[];
    const ports = (await db.selectFrom('network_ports').select(['id', 'network_id', 'project_id', 'device_id', 'device_owner', 'node_id', 'plugged']).execute()) as PortRow[];
    const ids = async (table: string): Promise<Set<string>> => new Set((await db.selectFrom(table).select('id').execute()).map((row) => row['id'] as string));
    return {
      servers: new Map(servers.map((row) => [row.id, row])),
      ports: new Map(ports.map((row) => [row.id, row])),
      addresses: (await db.selectFrom('network_addresses').select(['subnet_id', 'ip_address', 'port_id']).execute()) as RowView['addresses'],
      networks: await ids('network_networks'),
      groups: await ids('network_security_groups'),
      tasks: (await db.selectFrom('tasks').select(['id', 'kind', 'resource', 'state', 'error']).where((where) => where.or([where('active', '=', 1), where('state', '=', 'stuck')])).execute()) as TaskRow[],
      moves: new Set((await db.selectFrom('compute_migrations').select('uuid').where('status', 'in', [...OPEN, LEFT_BEHIND]).execute()).map(({ uuid }) => uuid as string)),
      allocations: (await db.selectFrom('placement_allocations').select(['consumer_id', 'resource_class', 'used']).execute()) as RowView['allocations'],
      boots: (await db.selectFrom('compute_server_boots').select('server_id').execute()).map((row) => row['server_id'] as string),
    };
  } finally {
    await database.close();
  }
}

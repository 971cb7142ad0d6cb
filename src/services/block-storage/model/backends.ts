/** Where volumes can be: the backends of nodes, as they report them. */
import type { BackendReport } from '../../../agents/volume/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { TaskDeps } from '../deps.ts';
import { backends } from '../store/rows.ts';
import type { BackendRow } from '../store/tables.ts';

export interface Backend extends BackendRow {
  report: BackendReport;
  up: boolean;
  /** `node@backend#pool`: what volumes show. */
  pool: string;
}

type Deps = Pick<TaskDeps, 'db' | 'clock' | 'config' | 'nodes'>;

/** Nodes are few: they are read in full. */
export async function listBackends(deps: Deps): Promise<Backend[]> {
  const rows = await backends.all(deps.db.read, [], [{ column: 'host', direction: 'asc' }]);
  return rows.map((row) => backendOf(deps, row));
}

function backendOf(deps: Deps, row: BackendRow): Backend {
  const report = JSON.parse(row.report_json) as BackendReport;
  const silent = deps.clock.now().getTime() - Date.parse(row.updated_at);
  return { ...row, report, up: deps.nodes.isConnected(row.node_id) && silent < deps.config.service_down_time * 1000, pool: `${row.host}#${report.backend}` };
}

export async function saveReport(deps: Deps, node: { id: string; hostname: string }, reports: BackendReport[]): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  await deps.db.transaction(async (tx) => {
    for (const report of reports) {
      const host = `${node.hostname}@${report.backend}`;
      const [known] = await backends.all(tx, [{ column: 'host', op: 'eq', value: host }]);
      const now = { report_json: JSON.stringify(report), node_id: node.id, updated_at };
      if (known === undefined) {
        const availability_zone = deps.config.default_availability_zone;
        await backends.insert(tx, { id: uuid(), host, hostname: node.hostname, availability_zone, disabled: 0, disabled_reason: null, frozen: 0, ...now });
      } else await backends.update(tx, known.id, now);
    }
  });
}

/** The one that a caller names by host. @throws Fault 404 in cinder's words */
export async function backendNamed(deps: Deps, host: string): Promise<Backend> {
  const found = (await listBackends(deps)).find((backend) => backend.host === host || backend.pool === host);
  if (found === undefined) throw notFound('block-storage.service-not-found', `Service cinder-volume could not be found on host ${host}.`);
  return found;
}

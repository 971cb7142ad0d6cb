import type { Kysely } from 'kysely';
import type { HostResources } from '../../../agents/compute/protocol.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';

/** Whether a node's engine has this runtime; none named: runc, which all have. */
export function hasRuntime(node: { resources_json: string }, runtime: string | undefined): boolean {
  return runtime === undefined || ((JSON.parse(node.resources_json) as Partial<HostResources>).runtimes ?? []).includes(runtime);
}

/** @throws Fault 400 when no host could ever start such a server. */
export async function checkRuntime(deps: Pick<ComputeDeps, 'db'>, runtime: string | undefined): Promise<void> {
  if (runtime === undefined) return;
  const nodes = await listNodes(deps.db.read as Kysely<ComputeTables>);
  if (nodes.some((node) => hasRuntime(node, runtime))) return;
  throw badRequest('compute.runtime-missing', `The flavor asks for the runtime "${runtime}" (docker:runtime), which no host of this cloud has.`);
}

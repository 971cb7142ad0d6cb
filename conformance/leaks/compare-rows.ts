/** Rows against rows: what is held for a server that is gone, and what a server should hold. */
import type { Leak } from '../leaks.ts';
import type { RowView, ServerRow } from './rows.ts';

export function compareRows(rows: RowView): Leak[] {
  return [...tasks(rows), ...servers(rows), ...ports(rows), ...allocations(rows)];
}

const leak = (kind: string, id: string, detail: string): Leak => ({ side: 'rows', kind, id, detail });

function tasks(rows: RowView): Leak[] {
  return rows.tasks.map(({ id, kind, resource, state, error }) => leak(state === 'stuck' ? 'stuck task' : 'unsettled task', id, `${kind} of ${resource}${error === null ? '' : `: ${error.slice(0, 200)}`}`));
}

function servers({ servers, boots, tasks }: RowView): Leak[] {
  const busy = new Set(tasks.map((task) => task.resource.split(/[:/]/).at(-1)));
  const idle = [...servers.values()].filter((server) => server.task_state !== null && !busy.has(server.id));
  return [
    ...idle.map((server) => leak('server without its task', server.id, `${server.vm_state}, ${server.task_state}`)),
    ...boots.filter((id) => !servers.has(id)).map((id) => leak('boot data', id, 'of no server')),
  ];
}

const ofCompute = (device_owner: string): boolean => device_owner.startsWith('compute:');

function ports({ servers, ports, addresses, networks }: RowView): Leak[] {
  const found: Leak[] = [];
  for (const port of ports.values()) {
    if (ofCompute(port.device_owner) && !servers.has(port.device_id)) found.push(leak('port', port.id, `of server ${port.device_id}, which is gone`));
    else if (port.node_id !== null && port.device_id === '') found.push(leak('bound port', port.id, 'bound to a node for no device'));
    if (!networks.has(port.network_id)) found.push(leak('port', port.id, `of network ${port.network_id}, which is gone`));
  }
  for (const address of addresses) {
    if (!ports.has(address.port_id)) found.push(leak('address', address.ip_address, `of port ${address.port_id}, which is gone`));
  }
  return found;
}

function allocations({ servers, allocations, moves }: RowView): Leak[] {
  const held = Map.groupBy(allocations, (allocation) => allocation.consumer_id);
  const found = [...held.keys()].filter((id) => !servers.has(id) && !moves.has(id)).map((id) => leak('allocation', id, 'of no server'));
  for (const server of servers.values()) {
    const mine = held.get(server.id) ?? [];
    if (server.node_id === null && mine.length > 0) found.push(leak('allocation', server.id, 'of a server that is on no node'));
    if (server.node_id !== null) found.push(...wrongAmounts(server, mine));
  }
  return found;
}

function wrongAmounts(server: ServerRow, mine: readonly { resource_class: string; used: number }[]): Leak[] {
  const used = (name: string): number => mine.find((one) => one.resource_class === name)?.used ?? 0;
  if (used('VCPU') === server.vcpus && used('MEMORY_MB') === server.ram_mb) return [];
  return [leak('allocation', server.id, `${used('VCPU')} CPUs and ${used('MEMORY_MB')} MiB are held, the server has ${server.vcpus} and ${server.ram_mb}`)];
}

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { conflict } from '../../../kernel/fault.ts';
import { computeMethods, type GuestDiagnostics } from '../../../agents/compute/protocol.ts';
import type { ComputeDeps } from '../deps.ts';
import { powerStates } from '../model/server-state.ts';
import type { ServerRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { serverOf, serverTarget } from './server-target.ts';

const STATE_NAMES = Object.fromEntries(Object.entries(powerStates).map(([name, number]) => [number, name === 'nostate' ? 'pending' : name]));

export const serverDiagnosticsEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-diagnostics:show',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/diagnostics',
    summary: 'Show what a server uses right now',
    policy: 'os_compute_api:os-server-diagnostics',
    target: serverTarget(deps),
    reply: Type.Object({}, { additionalProperties: true }),
    status: 200,
    handler: async (call) => {
      const row = serverOf(call);
      if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
      if (row.power_state !== powerStates.running) {
        throw conflict('compute.invalid-state', `Cannot 'get_diagnostics' instance ${row.id} while it is in power state ${STATE_NAMES[row.power_state] ?? 'unknown'}`);
      }
      const found = await deps.nodes.call<GuestDiagnostics>(row.node_id, computeMethods.diagnostics, { server_id: row.id }, { timeout_ms: 30_000 });
      return call.version >= versions.DIAGNOSTICS_STANDARD ? standard(row, found) : free(row, found);
    },
  }),
];

function standard(row: ServerRow, found: GuestDiagnostics): object {
  const time = Math.round(found.cpu_time_ns / row.vcpus);
  return {
    state: STATE_NAMES[row.power_state],
    // The API's list of drivers is closed and knows no Docker; the hypervisor below says what it is.
    driver: 'libvirt',
    hypervisor: 'docker',
    hypervisor_os: 'linux',
    uptime: found.uptime_seconds,
    config_drive: row.config_drive !== '',
    num_cpus: row.vcpus,
    num_nics: found.nics.length,
    num_disks: 1,
    memory_details: { maximum: mebibytes(found.memory_maximum_bytes), used: mebibytes(found.memory_used_bytes) },
    cpu_details: Array.from({ length: row.vcpus }, (_, id) => ({ id, time, utilisation: null })),
    nic_details: found.nics.map((nic) => ({
      mac_address: nic.mac_address,
      rx_octets: nic.rx_bytes, rx_errors: nic.rx_errors, rx_drop: nic.rx_drop, rx_packets: nic.rx_packets, rx_rate: null,
      tx_octets: nic.tx_bytes, tx_errors: nic.tx_errors, tx_drop: nic.tx_drop, tx_packets: nic.tx_packets, tx_rate: null,
    })),
    disk_details: [{ read_bytes: found.disk_read_bytes, read_requests: null, write_bytes: found.disk_write_bytes, write_requests: null, errors_count: null }],
  };
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1024 ** 2);

/** Before 2.48 each driver said what it liked; these are the names that libvirt's users know. */
function free(row: ServerRow, found: GuestDiagnostics): object {
  const out: Record<string, number> = {
    memory: Math.round(found.memory_maximum_bytes / 1024),
    'memory-actual': Math.round(found.memory_maximum_bytes / 1024),
    'memory-rss': Math.round(found.memory_used_bytes / 1024),
    vda_read: found.disk_read_bytes,
    vda_write: found.disk_write_bytes,
    pids: found.pids,
    uptime: found.uptime_seconds,
  };
  for (let id = 0; id < row.vcpus; id++) out[`cpu${id}_time`] = Math.round(found.cpu_time_ns / row.vcpus);
  found.nics.forEach((nic, at) => {
    const name = `eth${at}`;
    for (const key of ['rx_packets', 'rx_errors', 'rx_drop', 'tx_packets', 'tx_errors', 'tx_drop'] as const) out[`${name}_${key}`] = nic[key];
    out[`${name}_rx`] = nic.rx_bytes;
    out[`${name}_tx`] = nic.tx_bytes;
  });
  return out;
}

import { badRequest } from '../../../../kernel/fault.ts';
import type { NetworkDriver, NodeNetworkState, PortReport, PortWiring } from '../../protocol.ts';
import { reportRouter } from '../../router-wiring.ts';
import { portProblem } from '../../wiring.ts';

/** What a test or a simulation may look at. */
export interface FakeNetworkDriver extends NetworkDriver {
  /** Devices with a namespace, each with its cables in order. */
  devices(): Map<string, PortWiring[]>;
  /** The next call of that kind fails with this text. */
  failNext(call: 'apply' | 'plug' | 'unplug', message: string): void;
  tapCounters(device_id: string): Promise<{ mac_address: string; rx_bytes: number; tx_bytes: number; rx_packets: number; tx_packets: number; rx_errors: number; tx_errors: number; rx_drop: number; tx_drop: number }[]>;
}

/** The same behaviour in memory, without a kernel: a few hundred bytes for a node, so that 1,000 of them fit a process. */
export function createFakeNetworkDriver(): FakeNetworkDriver {
  const devices = new Map<string, { ports: PortWiring[]; generation: number }>();
  const failures = new Map<string, string>();

  function mayFail(call: string): void {
    const message = failures.get(call);
    failures.delete(call);
    if (message !== undefined) throw new Error(message);
  }

  function rewire(state: NodeNetworkState): void {
    const byDevice = Map.groupBy(state.ports, (port) => port.device_id);
    for (const [device_id, device] of devices) {
      if (device.generation > state.generation) continue;
      const wanted = new Map((byDevice.get(device_id) ?? []).map((port) => [port.port_id, port]));
      const kept = device.ports.flatMap((port) => wanted.get(port.port_id) ?? []);
      const coming = [...wanted.values()].filter((port) => !kept.includes(port));
      device.ports = [...kept, ...coming].filter((port) => portProblem(port) === undefined);
    }
  }

  function reportOf(port: PortWiring): PortReport {
    const reason = portProblem(port);
    if (reason !== undefined) return { port_id: port.port_id, status: 'ERROR', reason };
    const there = devices.get(port.device_id)?.ports.some((one) => one.port_id === port.port_id) === true;
    return { port_id: port.port_id, status: there && port.admin_state_up ? 'ACTIVE' : 'DOWN' };
  }

  return {
    async apply(state) {
      mayFail('apply');
      rewire(state);
      return [...state.ports.map(reportOf), ...(state.routers ?? []).flatMap((router) => reportRouter(router))];
    },
    async plug(device_id, slice) {
      mayFail('plug');
      const ports = slice.ports.filter((port) => port.device_id === device_id);
      const problem = ports.map(portProblem).find((one) => one !== undefined);
      if (problem !== undefined) throw badRequest('network.bad-wiring', problem);
      devices.set(device_id, { ports, generation: slice.generation });
      return { netns: `/run/netns/fake-${device_id}` };
    },
    async unplug(device_id) {
      mayFail('unplug');
      devices.delete(device_id);
    },
    async purge() {
      devices.clear();
    },
    async close() {},
    devices: () => new Map([...devices].map(([device_id, device]) => [device_id, device.ports])),
    failNext: (call, message) => void failures.set(call, message),
    async tapCounters(device_id) {
      const zero = { rx_bytes: 0, tx_bytes: 0, rx_packets: 0, tx_packets: 0, rx_errors: 0, tx_errors: 0, rx_drop: 0, tx_drop: 0 };
      return (devices.get(device_id)?.ports ?? []).map((port) => ({ mac_address: port.mac_address, ...zero }));
    },
  };
}

import type { PortWiring } from '../../protocol.ts';
import { tapName } from './names.ts';

/** From the guest's point of view: what the tap sends, the guest receives. */
export interface TapCounters {
  mac_address: string;
  rx_bytes: number;
  tx_bytes: number;
  rx_packets: number;
  tx_packets: number;
  rx_errors: number;
  tx_errors: number;
  rx_drop: number;
  tx_drop: number;
}

/** Reads `/proc/PID/net/dev` of a process in the cloud's namespace: no command, no dump of anything else. */
export function readCounters(table: string, ports: PortWiring[]): TapCounters[] {
  const rows = new Map<string, number[]>();
  for (const line of table.split('\n')) {
    const [name, figures] = line.split(':');
    if (figures !== undefined && name !== undefined) rows.set(name.trim(), figures.trim().split(/\s+/).map(Number));
  }
  return ports.flatMap((port) => {
    const row = rows.get(tapName(port.port_id));
    if (row === undefined) return [];
    const at = (index: number): number => row[index] ?? 0;
    return {
      mac_address: port.mac_address,
      rx_bytes: at(8), rx_packets: at(9), rx_errors: at(10), rx_drop: at(11),
      tx_bytes: at(0), tx_packets: at(1), tx_errors: at(2), tx_drop: at(3),
    };
  });
}

import type { Auth } from '../../kernel/context.ts';
import type { NodeNetworkState } from '../../agents/network/protocol.ts';

/** One entry of nova's `networks`. */
export interface RequestedNic {
  network_id?: string;
  port_id?: string;
  fixed_ip?: string;
  tag?: string;
}

/** A checked request: what will be made or used, in order. */
export interface PlannedNic {
  network_id: string;
  port_id: string | undefined;
  fixed_ip: string | undefined;
  tag: string | undefined;
}

export interface ServerNic {
  port_id: string;
  network_id: string;
  network_name: string;
  mac_address: string;
  mtu: number;
  status: string;
  /** False when the port was there before and outlives the server. */
  made_for_server: boolean;
  fixed_ips: { ip_address: string; ip_version: 4 | 6; subnet_id: string; cidr: string; gateway_ip: string | null; dns_nameservers: string[]; routes: { destination: string; nexthop: string }[] }[];
  floating_ips: { ip_address: string; fixed_ip_address: string }[];
  security_groups: { id: string; name: string }[];
  tag: string | null;
}

/** A group as networking shows it. */
export interface ShownSecurityGroup {
  id: string;
  name: string;
  description: string;
  project_id: string;
  rules: {
    id: string;
    direction: string;
    ethertype: string;
    protocol: string | null;
    port_range_min: number | null;
    port_range_max: number | null;
    remote_ip_prefix: string | null;
    remote_group_id: string | null;
  }[];
}

/** What networking offers compute. Every call is idempotent. */
export interface NetworkClient {
  /**
   * Checks nova's `networks` for the caller's project before anything is made. `auto`: the project's one network (400/409 as nova when
   * there are none or several). Faults carry nova's status and words: 400 unknown or foreign network/port/address, 409 port in use …
   */
  planNics(auth: Auth, requested: RequestedNic[] | 'auto' | 'none', count: number): Promise<PlannedNic[]>;
  /** Ids of the named (or id'd) groups that the caller's project has. Faults: 400 `Security group X not found for project Y.` */
  resolveSecurityGroups(auth: Auth, names: string[]): Promise<{ id: string; name: string }[]>;
  /**
   * Ports for a server, made or taken, bound to a node. Called twice with the same server it gives the same ports.
   * Faults: 409 `network.no-address` (IpAddressGenerationFailure), 409 `network.over-quota`.
   */
  claimNics(request: { server_id: string; project_id: string; hostname: string; node_id: string; host: string; zone: string; nics: PlannedNic[]; security_group_ids: string[] }): Promise<ServerNic[]>;
  /** Deletes the ports that were made for the server and unbinds the others. */
  releaseNics(server_id: string): Promise<void>;
  /** The NICs of these servers, by server id. */
  nicsOf(server_ids: string[]): Promise<Map<string, ServerNic[]>>;
  /** What the node needs to plug this server. */
  sliceFor(server_id: string): Promise<NodeNetworkState>;
  /** The cables are in: ports become ACTIVE (or DOWN when the server stopped). */
  setPlugged(server_id: string, plugged: boolean): Promise<void>;
  /**
   * Puts all ports of a server into a group of its project, or takes them out. Faults: 404 `Security group X not found for project Y.`,
   * 400 when a port has no port security, 409 when several groups have that name.
   */
  changeServerGroup(server_id: string, change: 'add' | 'remove', group: string): Promise<void>;
  /** Groups with their rules, as networking shows them. */
  securityGroups(ids: string[]): Promise<ShownSecurityGroup[]>;
  /** Addresses, groups or ports of a server changed: whoever shows them should read them again. */
  onServerNicsChanged(listener: (server_id: string) => void): void;
}

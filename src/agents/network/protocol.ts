/**
 * What the controller may ask of the network role of a node, and what the node tells back.
 * The node converges: it is poked, fetches its whole desired state, plans (pure) and executes.
 * Real (`drivers/linux`) and fake drivers implement the same `NetworkDriver`.
 */

export interface FixedIpWiring {
  ip_address: string;
  prefix_length: number;
  ip_version: 4 | 6;
  /** The subnet's gateway, or null when it has none. */
  gateway_ip: string | null;
  /** The subnet's host routes. */
  routes: { destination: string; nexthop: string }[];
  dns_nameservers: string[];
}

export interface AddressPairWiring {
  ip_address: string;
  mac_address: string;
}

/** One Neutron port that this node has to realise. */
export interface PortWiring {
  port_id: string;
  network_id: string;
  /** The server whose network namespace the cable ends in. */
  device_id: string;
  mac_address: string;
  admin_state_up: boolean;
  mtu: number;
  fixed_ips: FixedIpWiring[];
  allowed_address_pairs: AddressPairWiring[];
  /** False: neither anti-spoofing nor security groups. */
  port_security_enabled: boolean;
  security_group_ids: string[];
}

export interface NetworkWiring {
  network_id: string;
  /** Distinct per network on a node, 1..65535: overlapping CIDRs never meet in conntrack. */
  zone: number;
  /** `flat` with a physical_network is an external network: the host gets a leg in it. */
  type: 'vxlan' | 'flat' | 'local' | 'vlan';
  segmentation_id: number | null;
  physical_network: string | null;
  mtu: number;
  /** Host-side address (`10.10.1.1/24`) on networks that the host itself can reach; empty elsewhere. */
  host_addresses: string[];
}

export interface SecurityGroupRuleWiring {
  id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  /** Lower-case name or number as text; null is any. */
  protocol: string | null;
  /** Ports for tcp/udp/sctp/dccp, type and code for icmp. */
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
}

export interface SecurityGroupWiring {
  id: string;
  stateful: boolean;
  rules: SecurityGroupRuleWiring[];
}

/** Another node that carries ports of these networks: a VXLAN peer. */
export interface PeerWiring {
  node_id: string;
  tunnel_ip: string;
  ports: { network_id: string; mac_address: string; ip_addresses: string[] }[];
}

/** One port of a router: an interface on a tenant's network, or its gateway to an external one. */
export interface RouterLegWiring {
  port_id: string;
  network_id: string;
  mac_address: string;
  mtu: number;
  admin_state_up: boolean;
  fixed_ips: FixedIpWiring[];
  is_gateway: boolean;
}

/** A router that lives on this node. */
export interface RouterWiring {
  router_id: string;
  /** False: nothing passes. */
  admin_state_up: boolean;
  legs: RouterLegWiring[];
  /** Whether what leaves by the gateway without a floating IP bears the router's own address. */
  enable_snat: boolean;
  /** The IPv4 address of the gateway leg, when there is one. */
  snat_address: string | null;
  routes: { destination: string; nexthop: string }[];
  floating_ips: FloatingIpWiring[];
}

export interface FloatingIpWiring {
  floating_ip_address: string;
  fixed_ip_address: string;
}

/** All that a node has to be, as of a generation. */
export interface NodeNetworkState {
  generation: number;
  networks: NetworkWiring[];
  ports: PortWiring[];
  security_groups: SecurityGroupWiring[];
  /** Addresses of the members of every group that a rule above names as remote, cloud wide. */
  group_members: { group_id: string; addresses: string[] }[];
  peers: PeerWiring[];
  /** Absent in slices: a plug changes no router. */
  routers?: RouterWiring[];
}

/** What a driver reports of a port after it applied a state. */
export interface PortReport {
  port_id: string;
  status: 'ACTIVE' | 'DOWN' | 'ERROR';
  reason?: string;
  /** Of a router's gateway port: what is translated now. */
  floating_ips?: FloatingIpWiring[];
}

export interface NetworkDriver {
  /** Make the node be this: idempotent, heals drift, removes what is not in it, touches nothing that is right. */
  apply(state: NodeNetworkState): Promise<PortReport[]>;
  /**
   * Before a guest's first instruction: its namespace with all of these cables, addresses, routes and rules.
   * `slice` holds what the ports need (networks, groups, members), merged into what the node has. Idempotent.
   * @returns the path of the pinned network namespace.
   */
  plug(device_id: string, slice: NodeNetworkState): Promise<{ netns: string }>;
  /** Remove a guest's namespace, cables and rules. Unknown device: nothing happens. */
  unplug(device_id: string): Promise<void>;
  /** Remove everything of this cloud from the kernel (for `down --purge`). */
  purge(): Promise<void>;
  close(): Promise<void>;
}

/** Node → controller calls: `network.desired` () → NodeNetworkState; `network.report` ({ ports: PortReport[] }). */
/** Controller → node: `network.poke` ({ generation }): something changed, fetch and apply. */
export const networkMethods = {
  poke: 'network.poke',
  desired: 'network.desired',
  report: 'network.report',
} as const;

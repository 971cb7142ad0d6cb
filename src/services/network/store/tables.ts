/** The rows of networking: snake_case as on the wire, booleans 0/1, lists as JSON text, instants as ISO text. */
import type { Transaction } from 'kysely';

/** What every resource of neutron carries. */
export interface StandardRow {
  id: string;
  project_id: string;
  name: string;
  description: string;
  revision_number: number;
  created_at: string;
  updated_at: string;
}

export type Bit = 0 | 1;

export interface NetworkRow extends StandardRow {
  admin_state_up: Bit;
  shared: Bit;
  external: Bit;
  is_default: Bit;
  mtu: number;
  port_security_enabled: Bit;
  network_type: 'vxlan' | 'flat' | 'vlan' | 'local';
  physical_network: string | null;
  segmentation_id: number | null;
  /** Unique in the cloud, 1..65535: the conntrack zone of the network on every node. */
  zone: number;
  availability_zone_hints: string;
}

export type Ipv6Mode = 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless';

export interface SubnetRow extends StandardRow {
  network_id: string;
  ip_version: 4 | 6;
  cidr: string;
  gateway_ip: string | null;
  enable_dhcp: Bit;
  ipv6_ra_mode: Ipv6Mode | null;
  ipv6_address_mode: Ipv6Mode | null;
  allocation_pools: string;
  dns_nameservers: string;
  host_routes: string;
}

export type PortStatus = 'ACTIVE' | 'DOWN' | 'BUILD' | 'ERROR';

export interface PortRow extends StandardRow {
  network_id: string;
  mac_address: string;
  admin_state_up: Bit;
  status: PortStatus;
  device_id: string;
  device_owner: string;
  /** `binding:host_id`: a host's name. */
  host_id: string;
  /** The node behind the host, when it is one of ours. */
  node_id: string | null;
  vnic_type: string;
  profile: string;
  port_security_enabled: Bit;
  fixed_ips: string;
  security_groups: string;
  allowed_address_pairs: string;
  extra_dhcp_opts: string;
  tags: string;
  /** Made by compute for a server, and deleted with it. */
  made_for_server: Bit;
  /** Order among the NICs of its server. */
  nic_index: number;
  nic_tag: string | null;
  /** Whether the guest's cable is in. */
  plugged: Bit;
  /** The port as anyone who may see it sees it: JSON without its closing brace, kept beside the row so that lists need not build it. */
  shown: string;
  /** The rest of it for administrators: `,"binding:host_id":…`. */
  shown_binding: string;
}

/** One address in use; unique per subnet. */
export interface AddressRow {
  subnet_id: string;
  ip_address: string;
  port_id: string;
  network_id: string;
  position: number;
}

export interface SecurityGroupRow extends StandardRow {
  stateful: Bit;
}

export interface DefaultSecurityGroupRow {
  project_id: string;
  security_group_id: string;
}

export interface SecurityGroupRuleRow extends Omit<StandardRow, 'name'> {
  security_group_id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  /** What two equal rules of a group have in common. */
  rule_key: string;
}

export interface PortSecurityGroupRow {
  port_id: string;
  security_group_id: string;
}

export interface TagRow {
  resource_id: string;
  tag: string;
}

export interface QuotaRow {
  project_id: string;
  resource: string;
  value: number;
}

/** One row per project: whoever counts towards a quota holds it. */
export interface QuotaLockRow {
  project_id: string;
  turns: number;
}

export interface NodeGenerationRow {
  node_id: string;
  generation: number;
}

/** What an administrator set on an agent. */
export interface AgentRow {
  id: string;
  admin_state_up: Bit;
  description: string | null;
}

export interface RouterRow extends StandardRow {
  admin_state_up: Bit;
  enable_snat: Bit;
  gw_port_id: string | null;
  /** The node that it lives on; null until there is one. */
  node_id: string | null;
  /** That node's name; empty without one. */
  host_id: string;
  routes: string;
  availability_zone_hints: string;
}

/** What makes a port a leg of a router: its own device_id and owner are a user's to write. */
export interface RouterPortRow {
  port_id: string;
  router_id: string;
  port_type: 'network:router_interface' | 'network:router_gateway';
}

export interface FloatingIpRow extends Omit<StandardRow, 'name'> {
  floating_network_id: string;
  floating_ip_address: string;
  /** The port that holds the address on the external network. */
  floating_port_id: string;
  fixed_port_id: string | null;
  fixed_ip_address: string | null;
  router_id: string | null;
  /** ACTIVE once the router's node says that it translates. */
  status: 'ACTIVE' | 'DOWN' | 'ERROR';
}

export interface NetworkTables {
  network_routers: RouterRow;
  network_router_ports: RouterPortRow;
  network_floating_ips: FloatingIpRow;
  network_agents: AgentRow;
  network_networks: NetworkRow;
  network_subnets: SubnetRow;
  network_ports: PortRow;
  network_addresses: AddressRow;
  network_security_groups: SecurityGroupRow;
  network_default_security_groups: DefaultSecurityGroupRow;
  network_security_group_rules: SecurityGroupRuleRow;
  network_port_security_groups: PortSecurityGroupRow;
  network_tags: TagRow;
  network_quotas: QuotaRow;
  network_quota_locks: QuotaLockRow;
  network_node_generations: NodeGenerationRow;
}

export type Tx = Transaction<NetworkTables>;

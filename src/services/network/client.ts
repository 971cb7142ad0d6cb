import type { Call } from '../../kernel/api/endpoint.ts';
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

/** One more NIC of a server that lives: on a port made for it under this id, or on the one that the plan names. */
export interface AddedNic {
  server_id: string;
  project_id: string;
  node_id: string;
  host: string;
  zone: string;
  nic: PlannedNic;
  new_port_id: string;
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

/** On whose behalf another service calls: neutron's own rules are checked for them. */
export type NetworkCaller = Pick<Call, 'auth' | 'allows'>;

export interface GroupText {
  name: string;
  description: string;
}

/** What an ingress rule lets in; a value of null does not narrow it. */
export interface NewIngressRule {
  security_group_id: string;
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  /** Of ICMP the type. */
  port_range_min: number | null;
  /** Of ICMP the code. */
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
}

export interface ShownNetwork {
  id: string;
  name: string;
}

/** A floating IP with what it is tied to. */
export interface ShownFloatingIp {
  id: string;
  floating_ip_address: string;
  fixed_ip_address: string | null;
  port_id: string | null;
  /** Of the port: a server, or what its owner wrote there. */
  device_id: string | null;
  network: ShownNetwork;
}

/** Networking's own calls, for a caller of another service. Faults are neutron's: 403 rules, 404 what the caller may not see, and those named. */
export interface NetworkApi {
  /** By id, from `offset` on; of all projects for administrators who ask for them. */
  listSecurityGroups(caller: NetworkCaller, query: { all_projects: boolean; offset: number; limit: number }): Promise<ShownSecurityGroup[]>;
  /** Those of these that the caller may see. */
  findSecurityGroups(caller: NetworkCaller, ids: readonly string[]): Promise<ShownSecurityGroup[]>;
  showSecurityGroup(caller: NetworkCaller, id: string): Promise<ShownSecurityGroup>;
  /** Faults: 409 SecurityGroupDefaultAlreadyExists, OverQuota. */
  createSecurityGroup(caller: NetworkCaller, wanted: GroupText): Promise<ShownSecurityGroup>;
  /** Faults: 409 SecurityGroupCannotUpdateDefault, SecurityGroupDefaultAlreadyExists. */
  updateSecurityGroup(caller: NetworkCaller, id: string, change: GroupText): Promise<ShownSecurityGroup>;
  /** Faults: 409 SecurityGroupInUse, SecurityGroupCannotRemoveDefault. */
  deleteSecurityGroup(caller: NetworkCaller, id: string): Promise<void>;
  /** Faults: 400; 409 SecurityGroupRuleExists, OverQuota. */
  createIngressRule(caller: NetworkCaller, wanted: NewIngressRule): Promise<ShownSecurityGroup['rules'][number]>;
  deleteSecurityGroupRule(caller: NetworkCaller, id: string): Promise<void>;
  /** What the caller sees, at most 10000. */
  listNetworks(caller: NetworkCaller, query?: { external: true }): Promise<ShownNetwork[]>;
  showNetwork(caller: NetworkCaller, id: string): Promise<ShownNetwork>;
  /** Of the caller's project, at most 10000; or whoever's that have this address and that the caller may see. */
  listFloatingIps(caller: NetworkCaller, query?: { address: string }): Promise<ShownFloatingIp[]>;
  showFloatingIp(caller: NetworkCaller, id: string): Promise<ShownFloatingIp>;
  /** Faults: 400 ExternalIpAddressExhausted, BadRequest; 409 IpAddressGenerationFailure, OverQuota. */
  createFloatingIp(caller: NetworkCaller, floating_network_id: string): Promise<ShownFloatingIp>;
  /** Ties it to an address of a port; null unties it. Faults: 400; 409 FloatingIPPortAlreadyAssociated. */
  linkFloatingIp(caller: NetworkCaller, id: string, link: { port_id: string; fixed_ip_address: string } | null): Promise<void>;
  deleteFloatingIp(caller: NetworkCaller, id: string): Promise<void>;
}

/** What networking offers compute. Every call is idempotent, but for those of `api`. */
export interface NetworkClient {
  readonly api: NetworkApi;
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
  /** Takes the ports of a server off their host; they and their addresses stay the server's, for `claimNics` to bind again. */
  unbindNics(server_id: string): Promise<void>;
  /** Deletes the ports that were made for the server and unbinds the others. */
  releaseNics(server_id: string): Promise<void>;
  /** One more; its node plugs it by itself. Faults: as `claimNics`, 404 and 409 when a port has gone or was taken meanwhile. */
  addNic(request: AddedNic): Promise<void>;
  /** Deletes a port that was made for the server and unbinds another one. A port that is not the server's: nothing happens. */
  removeNic(server_id: string, port_id: string): Promise<void>;
  /** One more address of that network on the server's port there. Faults: 404 no port there; 400, 409 as neutron. */
  addFixedIp(server_id: string, network_id: string): Promise<void>;
  /** Faults: 400 the server does not have it. */
  removeFixedIp(server_id: string, address: string): Promise<void>;
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

/** IP protocol numbers of the names Neutron takes (api-ref, security group rules). */
const NUMBERS: Record<string, number> = {
  hopopt: 0, icmp: 1, igmp: 2, ipip: 4, 'ip-in-ip': 4, tcp: 6, egp: 8, udp: 17, dccp: 33, 'ipv6-encap': 41,
  'ipv6-route': 43, 'ipv6-frag': 44, rsvp: 46, gre: 47, esp: 50, ah: 51, icmpv6: 58, 'ipv6-icmp': 58,
  'ipv6-nonxt': 59, 'ipv6-opts': 60, ospf: 89, vrrp: 112, pgm: 113, sctp: 132, udplite: 136,
};

export const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);
export const ICMP = 1;
export const ICMPV6 = 58;

/**
 * Number of a protocol's name or decimal text; null for any protocol; undefined for an unknown one.
 * On IPv6 `icmp` means ICMPv6.
 */
export function protocolNumber(protocol: string | null, version: 4 | 6): number | null | undefined {
  if (protocol === null) return null;
  const name = protocol.toLowerCase();
  if (name === 'any' || name === 'ip' || name === '0') return null;
  const number = /^\d{1,3}$/.test(name) ? Number(name) : NUMBERS[name];
  if (number === undefined || number > 255) return undefined;
  return version === 6 && number === ICMP ? ICMPV6 : number;
}

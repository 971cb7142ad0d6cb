/** `network_data.json`: a server's interfaces, all of them with fixed addresses. Pure. @see nova's JSON schema of network_data.json */
import type { ServerNic } from '../../../network/client.ts';

type FixedIp = ServerNic['fixed_ips'][number];

export function networkData(nics: readonly ServerNic[]): { links: object[]; networks: object[]; services: object[] } {
  const links = nics.map((nic) => ({ id: linkId(nic), vif_id: nic.port_id, type: 'phy', mtu: nic.mtu, ethernet_mac_address: nic.mac_address }));
  const addresses = nics.flatMap((nic) => nic.fixed_ips.map((ip) => ({ nic, ip })));
  const networks = addresses.map(({ nic, ip }, index) => ({
    id: `network${index}`, type: `ipv${ip.ip_version}`, link: linkId(nic), network_id: nic.network_id,
    ip_address: ip.ip_address, netmask: netmask(ip.ip_version, lengthOf(ip.cidr)), routes: routesOf(ip), services: ip.dns_nameservers.map(dns),
  }));
  const servers = new Set(addresses.flatMap(({ ip }) => ip.dns_nameservers));
  return { links, networks, services: [...servers].map(dns) };
}

const linkId = (nic: ServerNic): string => `tap${nic.port_id.slice(0, 11)}`;
const lengthOf = (cidr: string): number => Number(cidr.slice(cidr.indexOf('/') + 1));
const dns = (address: string): object => ({ type: 'dns', address });

function routesOf({ ip_version, gateway_ip, routes }: FixedIp): object[] {
  const any = ip_version === 4 ? '0.0.0.0' : '::';
  const way = gateway_ip === null ? [] : [{ network: any, netmask: any, gateway: gateway_ip }];
  const others = routes.map(({ destination, nexthop }) => ({ network: destination.split('/')[0], netmask: netmask(ip_version, lengthOf(destination)), gateway: nexthop }));
  return [...way, ...others];
}

function netmask(version: 4 | 6, length: number): string {
  const [bits, size, base] = version === 4 ? [32, 8, 10] : [128, 16, 16];
  const groups = Array.from({ length: bits / size }, (_, at) => {
    const ones = Math.min(size, Math.max(0, length - at * size));
    return (((1 << ones) - 1) << (size - ones)).toString(base);
  });
  return version === 4 ? groups.join('.') : groups.join(':').replace(/(^|:)0(:0)*$/, '::');
}

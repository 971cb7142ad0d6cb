/** Reading the JSON that server rows hold. */
import type { ServerNic } from '../../network/client.ts';
import type { ServerRow } from '../store/tables.ts';
import type { FlavorSnapshot } from './flavors.ts';

/** Why a server is in ERROR, as nova keeps it. */
export interface ServerFault {
  code: number;
  message: string;
  /** ISO instant. */
  created: string;
  /** For administrators, or for everybody when `code` is not 500. */
  details: string | null;
}

export interface SecurityGroupName {
  id: string;
  name: string;
}

export const flavorOf = (row: Pick<ServerRow, 'flavor_json'>): FlavorSnapshot => JSON.parse(row.flavor_json) as FlavorSnapshot;
export const metadataOf = (row: Pick<ServerRow, 'metadata_json'>): Record<string, string> => JSON.parse(row.metadata_json) as Record<string, string>;
export const tagsOf = (row: Pick<ServerRow, 'tags_json'>): string[] => JSON.parse(row.tags_json) as string[];
export const nicsOf = (row: Pick<ServerRow, 'nics_json'>): ServerNic[] => JSON.parse(row.nics_json) as ServerNic[];
export const groupsOf = (row: Pick<ServerRow, 'security_groups_json'>): SecurityGroupName[] => JSON.parse(row.security_groups_json) as SecurityGroupName[];
export const faultOf = (row: Pick<ServerRow, 'fault_json'>): ServerFault | null => (row.fault_json === null ? null : (JSON.parse(row.fault_json) as ServerFault));

/** One address as the API shows it. */
export interface ShownAddress {
  version: number;
  addr: string;
  'OS-EXT-IPS:type': 'fixed' | 'floating';
  'OS-EXT-IPS-MAC:mac_addr': string;
}
/** By network name. */
export type ShownAddresses = Record<string, ShownAddress[]>;

export const addressesOf = (row: Pick<ServerRow, 'addresses_json'>): ShownAddresses => JSON.parse(row.addresses_json) as ShownAddresses;

/** What a row keeps of its NICs: whole, as lists show them, and the groups that they are in. */
export function shownNics(nics: readonly ServerNic[]): Pick<ServerRow, 'nics_json' | 'addresses_json' | 'security_groups_json'> {
  const groups = new Map(nics.flatMap(({ security_groups }) => security_groups).map((group) => [group.id, group]));
  const addresses: ShownAddresses = {};
  for (const nic of nics) (addresses[nic.network_name] ??= []).push(...nicAddresses(nic));
  return { nics_json: JSON.stringify(nics), addresses_json: JSON.stringify(addresses), security_groups_json: JSON.stringify([...groups.values()]) };
}

function nicAddresses(nic: ServerNic): ShownAddress[] {
  const entry = (version: number, addr: string, type: 'fixed' | 'floating'): ShownAddress => ({
    version,
    addr,
    'OS-EXT-IPS:type': type,
    'OS-EXT-IPS-MAC:mac_addr': nic.mac_address,
  });
  return [
    ...nic.fixed_ips.map(({ ip_version, ip_address }) => entry(ip_version, ip_address, 'fixed')),
    ...nic.floating_ips.map(({ ip_address }) => entry(ip_address.includes(':') ? 6 : 4, ip_address, 'floating')),
  ];
}

/** Its root is a volume: it has no image. */
export const bootsFromVolume = ({ image_id }: Pick<ServerRow, 'image_id'>): boolean => image_id === '';

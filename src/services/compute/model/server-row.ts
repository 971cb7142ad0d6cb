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

export const flavorOf = (row: ServerRow): FlavorSnapshot => JSON.parse(row.flavor_json) as FlavorSnapshot;
export const metadataOf = (row: ServerRow): Record<string, string> => JSON.parse(row.metadata_json) as Record<string, string>;
export const tagsOf = (row: ServerRow): string[] => JSON.parse(row.tags_json) as string[];
export const nicsOf = (row: ServerRow): ServerNic[] => JSON.parse(row.nics_json) as ServerNic[];
export const groupsOf = (row: ServerRow): SecurityGroupName[] => JSON.parse(row.security_groups_json) as SecurityGroupName[];
export const faultOf = (row: ServerRow): ServerFault | null => (row.fault_json === null ? null : (JSON.parse(row.fault_json) as ServerFault));

/** How a row keeps its NICs, and the groups that they are in. */
export function shownNics(nics: readonly ServerNic[]): Pick<ServerRow, 'nics_json' | 'security_groups_json'> {
  const groups = new Map(nics.flatMap(({ security_groups }) => security_groups).map((group) => [group.id, group]));
  return { nics_json: JSON.stringify(nics), security_groups_json: JSON.stringify([...groups.values()]) };
}

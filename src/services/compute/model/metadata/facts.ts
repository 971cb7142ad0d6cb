/** All that a server may be told of itself. */
import type { InjectedFile } from '../../../../agents/compute/protocol.ts';
import type { ServerNic } from '../../../network/client.ts';
import type { BlockDeviceRow, ServerBootRow, ServerRow } from '../../store/tables.ts';
import { flavorOf, metadataOf } from '../server-row.ts';

/** A volume, as the guest is told of it. */
export type GuestDisk = Pick<BlockDeviceRow, 'volume_id' | 'device' | 'mount_path' | 'tag'>;

export interface InstanceFacts {
  uuid: string;
  name: string;
  hostname: string;
  project_id: string;
  image_id: string;
  flavor_name: string;
  availability_zone: string;
  reservation_id: string;
  launch_index: number;
  metadata: Record<string, string>;
  key: { name: string; public_key: string } | null;
  nics: readonly ServerNic[];
  volumes: readonly GuestDisk[];
  files: readonly InjectedFile[];
  /** As it was written by the user, decoded. */
  user_data: Buffer | null;
}

/** @param domain added to the host name with a dot; empty: nothing. Pure. */
export function instanceFacts(row: ServerRow, boot: ServerBootRow, devices: { nics: readonly ServerNic[]; volumes: readonly GuestDisk[] }, options: { domain: string; default_zone: string }): InstanceFacts {
  return {
    uuid: row.id,
    name: row.name,
    hostname: options.domain === '' ? row.hostname : `${row.hostname}.${options.domain}`,
    project_id: row.project_id,
    image_id: row.image_id,
    flavor_name: flavorOf(row).name,
    availability_zone: row.zone ?? options.default_zone,
    reservation_id: row.reservation_id,
    launch_index: row.launch_index,
    metadata: metadataOf(row),
    key: boot.public_key === null || row.key_name === null ? null : { name: row.key_name, public_key: boot.public_key },
    ...devices,
    files: JSON.parse(boot.files_json) as InjectedFile[],
    user_data: boot.user_data === null ? null : Buffer.from(boot.user_data, 'base64'),
  };
}

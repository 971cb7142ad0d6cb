/** The metadata of a server in OpenStack's format, by dated version. Pure. @see nova's user guide, metadata */
import { randomBytes } from 'node:crypto';
import type { InstanceFacts } from './facts.ts';
import { networkData } from './network-data.ts';

export const OPENSTACK_VERSIONS = [
  '2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06', '2017-02-22', '2018-08-27', '2020-10-14', 'latest',
] as const;
export type OpenstackVersion = (typeof OPENSTACK_VERSIONS)[number];

const since = (version: OpenstackVersion, first: OpenstackVersion): boolean => OPENSTACK_VERSIONS.indexOf(version) >= OPENSTACK_VERSIONS.indexOf(first);

/** Names of the files of a version, in the order in which they are listed. */
export function openstackFiles(facts: Pick<InstanceFacts, 'user_data'>, version: OpenstackVersion): string[] {
  return [
    'meta_data.json',
    ...(facts.user_data === null ? [] : ['user_data']),
    ...(since(version, '2013-04-04') ? ['password'] : []),
    ...(since(version, '2013-10-17') ? ['vendor_data.json'] : []),
    ...(since(version, '2015-10-15') ? ['network_data.json'] : []),
    ...(since(version, '2016-10-06') ? ['vendor_data2.json'] : []),
  ];
}

/** Undefined for a file that this version does not have; the password is kept elsewhere. */
export function openstackFile(facts: InstanceFacts, version: OpenstackVersion, name: string): Buffer | undefined {
  if (!openstackFiles(facts, version).includes(name)) return undefined;
  switch (name) {
    case 'meta_data.json': return json(metaData(facts, version));
    case 'user_data': return facts.user_data ?? undefined;
    case 'vendor_data.json': return json({});
    case 'vendor_data2.json': return json({ static: {} });
    case 'network_data.json': return json(networkData(facts.nics));
    default: return undefined;
  }
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

/** The n-th injected file, as `content_path` names it. */
export const contentName = (index: number): string => String(index).padStart(4, '0');

function metaData(facts: InstanceFacts, version: OpenstackVersion): object {
  const { key } = facts;
  return {
    uuid: facts.uuid,
    ...(Object.keys(facts.metadata).length > 0 && { meta: facts.metadata }),
    ...(facts.files.length > 0 && { files: facts.files.map(({ path }, index) => ({ content_path: `/content/${contentName(index)}`, path })) }),
    ...(key !== null && { public_keys: { [key.name]: key.public_key }, keys: [{ name: key.name, type: 'ssh', data: key.public_key }] }),
    hostname: facts.hostname,
    name: facts.name,
    launch_index: facts.launch_index,
    availability_zone: facts.availability_zone,
    ...(since(version, '2013-04-04') && { random_seed: randomBytes(512).toString('base64') }),
    ...(since(version, '2015-10-15') && { project_id: facts.project_id }),
    ...(since(version, '2016-06-30') && { devices: taggedDevices(facts) }),
    ...(since(version, '2020-10-14') && { dedicated_cpus: [] }),
  };
}

/** Those that somebody has given a tag to, so that the guest can tell them apart; a disk's serial is what its link in /dev/disk/by-id ends with. */
function taggedDevices({ nics, volumes }: InstanceFacts): object[] {
  const cards = nics.flatMap(({ tag, mac_address }) => (tag === null ? [] : [{ type: 'nic', bus: 'none', address: 'none', mac: mac_address, tags: [tag] }]));
  const disks = volumes.flatMap(({ tag, volume_id, device, mount_path }) => (tag === null ? [] : [{ type: 'disk', bus: 'none', address: 'none', serial: volume_id, path: mount_path ?? device, tags: [tag] }]));
  return [...cards, ...disks];
}

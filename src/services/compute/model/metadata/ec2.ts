/** The metadata of a server in EC2's format, by dated version. Pure. */
import type { InstanceFacts } from './facts.ts';

export const EC2_VERSIONS = ['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01', '2009-04-04', 'latest'] as const;
export type Ec2Version = (typeof EC2_VERSIONS)[number];

/** A folder, or a text; a folder's `_name` is how its parent lists it. */
export type Ec2Tree = { [name: string]: Ec2Tree | string | string[] };

const since = (version: Ec2Version, first: Ec2Version): boolean => EC2_VERSIONS.indexOf(version) >= EC2_VERSIONS.indexOf(first);

/** `meta-data` of a version; user data stands beside it. */
export function ec2MetaData(facts: InstanceFacts, version: Ec2Version): Ec2Tree {
  const addresses = facts.nics.flatMap((nic) => nic.fixed_ips).filter((ip) => ip.ip_version === 4);
  const floating = facts.nics.flatMap((nic) => nic.floating_ips);
  const { key } = facts;
  return {
    'ami-id': `ami-${facts.image_id.slice(0, 8)}`,
    'ami-launch-index': String(facts.launch_index),
    // Nova's own value (nova/api/metadata/base.py): no image has a manifest, and clients compare what they get.
    'ami-manifest-path': 'FIXME',
    hostname: facts.hostname,
    'instance-id': `i-${facts.uuid.slice(0, 8)}`,
    'local-ipv4': addresses[0]?.ip_address ?? '',
    'reservation-id': facts.reservation_id,
    'security-groups': [...new Set(facts.nics.flatMap((nic) => nic.security_groups.map(({ name }) => name)))],
    ...(key !== null && { 'public-keys': { '0': { _name: `0=${key.name}`, 'openssh-key': key.public_key } } }),
    ...(since(version, '2007-01-19') && { 'local-hostname': facts.hostname, 'public-hostname': facts.hostname, 'public-ipv4': floating[0]?.ip_address ?? '' }),
    ...(since(version, '2007-08-29') && { 'instance-type': facts.flavor_name }),
    ...(since(version, '2007-12-15') && { 'block-device-mapping': { ami: 'vda', ...Object.fromEntries(facts.volumes.filter(({ device }) => device !== '/dev/vda').map(({ device }, index) => [`ebs${index}`, device])), root: '/dev/vda' } }),
    ...(since(version, '2008-02-01') && { placement: { 'availability-zone': facts.availability_zone } }),
    ...(since(version, '2008-09-01') && { 'instance-action': 'none' }),
  };
}

/** What a request for this part of the tree is answered with; undefined: there is none. */
export function ec2Answer(tree: Ec2Tree, path: readonly string[]): string | undefined {
  let at: Ec2Tree | string | string[] | undefined = tree;
  for (const name of path) {
    if (typeof at !== 'object' || Array.isArray(at) || !Object.hasOwn(at, name) || name === '_name') return undefined;
    at = at[name];
  }
  if (typeof at === 'string') return at;
  if (Array.isArray(at)) return at.join('\n');
  return at === undefined ? undefined : listing(at);
}

function listing(tree: Ec2Tree): string {
  const names = Object.keys(tree).filter((name) => name !== '_name').sort();
  return names.map((name) => {
    const value = tree[name];
    if (typeof value !== 'object' || Array.isArray(value)) return name;
    return typeof value['_name'] === 'string' ? value['_name'] : `${name}/`;
  }).join('\n');
}

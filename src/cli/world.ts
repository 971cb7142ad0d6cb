import type { Session, SystemSession } from './api.ts';

/** What a new cloud has from the start, made over its own public APIs. Everything is found by name first: seeding twice changes nothing. */
export interface World {
  admin: Session;
  /** The admin again, for what is of no project. */
  system(): Promise<SystemSession>;
  /** CIDRs. */
  subnets: { public: string; private: string };
  /** The same as a member of project demo; made once that user is there. */
  demo(): Promise<Session>;
  demo_password: string;
  /** The image named `hello`: its bytes and what they were made from. */
  image(): Promise<{ bytes: Buffer; properties: Record<string, string> }>;
}

/** @returns ids that the caller goes on with. */
export async function seedWorld(world: World): Promise<{ image_id: string; network_id: string; security_group_id: string }> {
  const { admin } = world;
  await seedDemo(await world.system(), world.demo_password);
  const demo = await world.demo();
  await seedFlavors(admin);
  const network_id = await ensureNetwork(admin, 'public', { 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public', shared: false }, {
    name: 'public-subnet', cidr: world.subnets.public, enable_dhcp: true, ...publicAddresses(world.subnets.public),
  });
  await ensureNetwork(demo, 'private', {}, { name: 'private-subnet', cidr: world.subnets.private, enable_dhcp: true });
  const security_group_id = await ensureWebGroup(admin);
  await ensureWebGroup(demo);
  return { image_id: await ensureImage(world), network_id, security_group_id };
}

/** Of a /24 some addresses stay free for what else is on the segment. */
function publicAddresses(cidr: string): object {
  const prefix = /^(.+)\.0\/24$/.exec(cidr)?.[1];
  return prefix === undefined ? {} : { gateway_ip: `${prefix}.1`, allocation_pools: [{ start: `${prefix}.10`, end: `${prefix}.250` }] };
}

async function seedDemo(admin: SystemSession, password: string): Promise<void> {
  const project = await ensure(admin, 'identity', 'project', '/projects', { name: 'demo', domain_id: 'default', description: 'For trying things out' });
  const user = await ensure(admin, 'identity', 'user', '/users', { name: 'demo', domain_id: 'default', password, default_project_id: project.id });
  const { roles } = await admin.call('identity', 'GET', '/roles?name=member');
  const role = first(roles, 'role member');
  await admin.call('identity', 'PUT', `/projects/${project.id}/users/${user.id}/roles/${role.id}`);
}

/** Name, id, virtual CPUs, memory in MiB, disk in GiB. */
export const worldFlavors: readonly (readonly [string, string, number, number, number])[] = [
  ['m1.tiny', '1', 1, 512, 1],
  ['m1.small', '2', 1, 2048, 20],
  ['m1.medium', '3', 2, 4096, 40],
  ['m1.large', '4', 4, 8192, 80],
  ['m1.xlarge', '5', 8, 16384, 160],
  ['c1.nano', 'c1', 1, 64, 1],
  ['c1.micro', 'c2', 1, 128, 1],
  ['c1.tiny', 'c3', 1, 256, 1],
];

async function seedFlavors(admin: Session): Promise<void> {
  const { flavors } = (await admin.call('compute', 'GET', '/flavors?is_public=None')) as { flavors: { name: string }[] };
  const present = new Set(flavors.map((flavor) => flavor.name));
  for (const [name, id, vcpus, ram, disk] of worldFlavors) {
    if (!present.has(name)) await admin.call('compute', 'POST', '/flavors', { flavor: { name, id, vcpus, ram, disk } });
  }
}

async function ensureNetwork(session: Session, name: string, attributes: object, subnet: object): Promise<string> {
  const network = await ensure(session, 'network', 'network', '/networks', { name, ...attributes }, `&project_id=${session.project_id}`);
  await ensure(session, 'network', 'subnet', '/subnets', { name: `${name}-subnet`, network_id: network.id, ip_version: 4, ...subnet }, `&network_id=${network.id}`);
  return network.id;
}

const webRules: readonly object[] = [
  { protocol: 'tcp', port_range_min: 22, port_range_max: 22 },
  { protocol: 'tcp', port_range_min: 80, port_range_max: 80 },
  { protocol: 'icmp' },
];

async function ensureWebGroup(session: Session): Promise<string> {
  const body = { name: 'web', description: 'ssh, http and ping from anywhere' };
  const group = await ensure(session, 'network', 'security_group', '/security-groups', body, `&project_id=${session.project_id}`);
  const present = (group['security_group_rules'] ?? []) as { direction: string; protocol: string | null; port_range_min: number | null }[];
  for (const rule of webRules as { protocol: string; port_range_min?: number }[]) {
    const there = present.some((one) => one.direction === 'ingress' && one.protocol === rule.protocol && (one.port_range_min ?? undefined) === rule.port_range_min);
    if (there) continue;
    const whole = { security_group_id: group.id, direction: 'ingress', ethertype: 'IPv4', remote_ip_prefix: '0.0.0.0/0', ...rule };
    await session.call('network', 'POST', '/security-group-rules', { security_group_rule: whole });
  }
  return group.id;
}

/** An image whose upload broke off is made anew: it never became usable. */
async function ensureImage(world: World): Promise<string> {
  const { admin } = world;
  const { images } = (await admin.call('image', 'GET', `/images?name=hello&owner=${admin.project_id}`)) as { images: { id: string; status: string }[] };
  const active = images.find((image) => image.status === 'active');
  if (active !== undefined) return active.id;
  for (const broken of images.filter((image) => ['queued', 'saving', 'killed'].includes(image.status))) await admin.call('image', 'DELETE', `/images/${broken.id}`);
  const { bytes, properties } = await world.image();
  const body = { name: 'hello', visibility: 'public', container_format: 'docker', disk_format: 'raw', min_ram: 0, min_disk: 0, os_admin_user: 'root', ...properties };
  const image = (await admin.call('image', 'POST', '/images', body)) as { id: string };
  await admin.upload('image', `/images/${image.id}/file`, bytes);
  return image.id;
}

type Row = { id: string } & Record<string, unknown>;

/** The resource of this name, made if there is none. `filter` narrows the search (`&project_id=…`). */
async function ensure(session: SystemSession, service: 'identity' | 'network', singular: string, path: string, body: { name: string; [key: string]: unknown }, filter = ''): Promise<Row> {
  const found = await session.call(service, 'GET', `${path}?name=${encodeURIComponent(body.name)}${filter}`);
  const [row] = found[`${singular}s`] as Row[];
  return row ?? (await session.call(service, 'POST', path, { [singular]: body }))[singular];
}

function first(rows: readonly Row[], what: string): Row {
  const [row] = rows;
  if (row === undefined) throw new Error(`the cloud has no ${what}`);
  return row;
}

import { setTimeout as delay } from 'node:timers/promises';
import { type Case, type Cases, get, post, put } from './case.ts';
import type { VersionWorld } from './world.ts';

const one = ({ ids }: VersionWorld): string => `/servers/${ids.server}`;
const part = (name: string) => (world: VersionWorld): string => `${one(world)}/${name}`;
/** From 2.90 on the samples are of somebody who is no administrator. */
const reader: NonNullable<Case['who']> = (minor) => (minor >= 90 ? 'member' : 'admin');

const networks = (ids: VersionWorld['ids'], minor: number): unknown => (minor >= 37 ? 'none' : [{ uuid: ids.network }]);
const creates = (more: object = {}): NonNullable<Case['body']> => ({ ids }, minor) => ({ server: { name: 'new', imageRef: ids.image, flavorRef: 'c1', networks: networks(ids, minor), ...more } });
const remove: NonNullable<Case['after']> = (world, answer) => world.cloud.call('DELETE', `/compute/v2.1/servers/${answer.server.id}`);

const TAGS = [[/^extra servers?(\[\])?\.tags/, 'they came with 2.26, the next sample is of 2.47', 26, 46]] as const;
const UPDATED = [[/^extra server\.(locked|description)$/, 'of 2.9 and 2.19; the next sample of an update is of 2.47, another one of 2.19 has both', 9, 46]] as const;
const DRIVER = [[/./, 'each driver of nova has names of its own before 2.48; the sample has those of a machine with disks', 1, 47]] as const;

const servers: Cases = {
  'servers/servers-list-resp': get('/servers?limit=1', { skip: [69] }),
  'servers/servers-list-status-resp': get('/servers?status=active&limit=1'),
  'servers/servers-list-with-changes-before': get('/servers?changes-before=2999-01-01T00:00:00Z', { older: true }),
  'servers-sort/server-sort-keys-list-resp': get('/servers?sort_key=display_name&sort_dir=asc'),
  'servers/servers-details-resp': get('/servers/detail?limit=1&sort_key=created_at&sort_dir=asc', { skip: [69], who: reader, forgive: [...TAGS, [/links\[\]/, 'all fit on one page in the samples of these versions', 73, 89]] }),
  'servers/server-get-resp': get(one, { skip: [69], who: reader, forgive: TAGS }),
  'servers/server-update-resp': put(one, () => ({ server: { accessIPv4: '10.9.8.7', accessIPv6: '2001:db8::1' } }), { who: reader, forgive: [...TAGS, ...UPDATED] }),
  'servers/server-put-resp': put(one, () => ({ server: { description: 'changed' } }), { until: 46, forgive: TAGS }),
  'servers/server-create-resp': post('/servers', creates(), { after: remove }),
  'os-multiple-create/multiple-create-no-resv-post-resp': post('/servers', creates({ min_count: 1, max_count: 1 }), { after: remove }),
  'os-multiple-create/multiple-create-post-resp': post('/servers', creates({ return_reservation_id: 'True', min_count: 1, max_count: 1 })),
};

const parts: Cases = {
  'server-ips/server-ips-resp': get(part('ips')),
  'server-ips/server-ips-network-resp': get(part('ips/private')),
  'server-metadata/server-metadata-all-resp': get(part('metadata')),
  'server-metadata/server-metadata-resp': get(part('metadata/colour')),
  'os-server-tags/server-tags-index-resp': get(part('tags')),
  'os-server-tags/server-tags-put-all-resp': put(part('tags'), () => ({ tags: ['blue'] })),
  'os-server-password/get-password-resp': get(part('os-server-password')),
  'os-server-diagnostics/server-diagnostics-get-resp': get(part('diagnostics'), { forgive: DRIVER }),
  'os-security-groups/server-security-groups-list-resp': get(part('os-security-groups')),
  'os-attach-interfaces/attach-interfaces-list-resp': get(part('os-interface')),
  'os-attach-interfaces/attach-interfaces-show-resp': get((world) => `${one(world)}/os-interface/${world.ids.port}`),
  'os-console-output/console-output-post-resp': post(part('action'), () => ({ 'os-getConsoleOutput': { length: 50 } })),
};

const actionsOf = (query = ''): Case['path'] => (world) => `${one(world)}/os-instance-actions${query}`;

const actions: Cases = {
  'os-instance-actions/instance-actions-list-resp': get(actionsOf()),
  'os-instance-actions/instance-actions-list-with-limit-resp': get(actionsOf('?limit=1'), { older: true }),
  'os-instance-actions/instance-actions-list-with-marker-resp': get((world) => `${one(world)}/os-instance-actions?marker=${world.ids.action}`, { older: true }),
  'os-instance-actions/instance-actions-list-with-changes-since': get(actionsOf('?changes-since=2000-01-01T00:00:00Z'), { older: true }),
  'os-instance-actions/instance-actions-list-with-changes-before': get(actionsOf('?changes-before=2999-01-01T00:00:00Z'), { older: true }),
  'os-instance-actions/instance-action-get-resp': get((world) => `${one(world)}/os-instance-actions/${world.ids.action}`),
  'os-instance-actions/instance-action-get-non-admin-resp': get((world) => `${one(world)}/os-instance-actions/${world.ids.action}`, { who: () => 'member', older: true }),
};

const groups: Cases = {
  'os-server-groups/server-groups-list-resp': get('/os-server-groups'),
  'os-server-groups/server-groups-get-resp': get(({ ids }) => `/os-server-groups/${ids.group}`),
  'os-server-groups/server-groups-post-resp': post('/os-server-groups', (_world, minor) => ({ server_group: { name: 'new', ...(minor >= 64 ? { policy: 'affinity' } : { policies: ['affinity'] }) } }), {
    after: (world, { server_group }) => world.cloud.call('DELETE', `/compute/v2.1/os-server-groups/${server_group.id}`),
  }),
  'servers/server-groups-post-resp': post('/os-server-groups', () => ({ server_group: { name: 'new', policy: 'affinity' } }), {
    after: (world, { server_group }) => world.cloud.call('DELETE', `/compute/v2.1/os-server-groups/${server_group.id}`),
  }),
};

const LIVE = [[/^missing migrations\[\]\.links/, 'a live migration that is under way has links; servers here are not moved while they run']] as const;

const migrations: Cases = {
  'os-migrations/migrations-get-with-limit': get('/os-migrations?limit=1', { older: true }),
  'server-migrations/migrations-index': get(part('migrations')),
  'os-migrations/migrations-get': get('/os-migrations'),
  'os-migrations/migrations-get-with-changes-since': get('/os-migrations?changes-since=2000-01-01T00:00:00Z', { older: true }),
  'os-migrations/migrations-get-with-changes-before': get('/os-migrations?changes-before=2999-01-01T00:00:00Z', { older: true, forgive: LIVE }),
  'os-migrations/migrations-get-with-marker': get(async (world, minor) => {
    const { json } = await world.call('GET', '/os-migrations?limit=1', minor);
    return `/os-migrations?marker=${json.migrations[0].uuid}`;
  }, { older: true, forgive: LIVE }),
  'os-migrations/migrations-get-with-user-or-project-id': get(({ ids }) => `/os-migrations?user_id=${ids.user}`, { older: true }),
};

const onServer = (body: NonNullable<Case['body']>, more: Partial<Case> = {}): Case => post(part('action'), body, more);

const consoles: Cases = {
  'os-remote-consoles/get-vnc-console-post-resp': onServer(() => ({ 'os-getVNCConsole': { type: 'novnc' } }), { until: 5 }),
  'os-remote-consoles/get-serial-console-post-resp': onServer(() => ({ 'os-getSerialConsole': { type: 'serial' } }), { until: 5 }),
  'os-remote-consoles/create-vnc-console-resp': post(part('remote-consoles'), () => ({ remote_console: { protocol: 'vnc', type: 'novnc' } })),
  'os-console-auth-tokens/get-console-connect-info-get-resp': get(async (world, minor) => {
    const { json } = await world.call('POST', `${one(world)}/remote-consoles`, Math.max(minor, 6), { remote_console: { protocol: 'serial', type: 'serial' } });
    return `/os-console-auth-tokens/${new URL(json.remote_console.url).searchParams.get('token')}`;
  }, { older: true }),
};

/** Its task has the server until the interface is gone. */
const detach: NonNullable<Case['after']> = async (world, { interfaceAttachment }, minor) => {
  const path = `${one(world)}/os-interface`;
  await world.call('DELETE', `${path}/${interfaceAttachment.port_id}`, minor);
  while ((await world.call('GET', path, minor)).json.interfaceAttachments.length > 1) await delay(10);
};

/** The server is one image's at a time. */
const saved: NonNullable<Case['after']> = async (world, _answer, minor) => {
  while ((await world.call('GET', one(world), minor)).json.server['OS-EXT-STS:task_state'] !== null) await delay(10);
};

const changes: Cases = {
  'os-attach-interfaces/attach-interfaces-create-resp': post(part('os-interface'), ({ ids }) => ({ interfaceAttachment: { net_id: ids.network } }), {
    at: [96, 70, 69, 49, 48, 1], after: detach,
  }),
  'servers/server-action-create-image-resp': onServer(() => ({ createImage: { name: 'image' } }), { at: [96, 46, 45], after: saved }),
  'os-create-backup/create-backup-resp': onServer(() => ({ createBackup: { name: 'backup', backup_type: 'daily', rotation: 1 } }), { at: [96, 46, 45], after: saved }),
  'servers/server-action-rebuild-resp': onServer(({ ids }) => ({ rebuild: { imageRef: ids.image } }), {
    who: reader, at: [96, 95, 90, 75, 73, 71, 63, 57, 54, 47, 26, 19, 1], after: saved, forgive: [[/adminPass/, 'shown where a password was made'], ...TAGS, ...UPDATED],
  }),
  'os-server-external-events/event-create-resp': post('/os-server-external-events', ({ ids }) => ({
    events: [{ name: 'network-changed', server_uuid: ids.server, tag: ids.port, status: 'completed' }],
  })),
};

const SAME = 'the same answer as the sample of servers, which is compared';
const NO_SCREEN = 'containers have no screen of this kind: refused';
const LATER = 'the action has tests of its own at its versions';

export const serverCases: Cases = {
  ...servers, ...parts, ...actions, ...groups, ...migrations, ...consoles, ...changes,
  'os-server-tags/server-tags-show-details-resp': SAME,
  'os-server-tags/servers-tags-details-resp': SAME,
  'os-rescue/server-get-resp-rescue': SAME,
  'os-rescue/server-get-resp-unrescue': SAME,
  'server-migrations/migrations-get': LATER,
  'os-evacuate/server-evacuate-find-host-resp': LATER,
  'os-evacuate/server-evacuate-resp': LATER,
  'os-remote-consoles/get-rdp-console-post-resp': NO_SCREEN,
  'os-remote-consoles/get-spice-console-post-resp': NO_SCREEN,
  'os-remote-consoles/create-mks-console-resp': NO_SCREEN,
  'os-remote-consoles/create-spice-direct-console-resp': NO_SCREEN,
  'os-rescue/server-rescue': LATER,
  'os-server-topology/servers-topology-resp': LATER,
  'os-server-topology/servers-topology-resp-user': LATER,
};

/** The 59 rows of Nova's support matrix (doc/source/user/support-matrix.ini): each is performed, or its refusal is. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import type { MatrixWorld } from './world.ts';

type Outcome = 'works' | 'refused';

export interface Row {
  key: string;
  title: string;
  outcome: Outcome;
  /** How it is done here, in a sentence. */
  how: string;
  /** @returns of a refusal, its words. @param server one that is ACTIVE, and is again afterwards. */
  perform(world: MatrixWorld, server: string): Promise<string | void>;
}

const works = (key: string, title: string, how: string, perform: Row['perform']): Row => ({ key, title, outcome: 'works', how, perform });
const refused = (key: string, title: string, how: string, perform: (world: MatrixWorld, server: string) => Promise<string>): Row => ({ key, title, outcome: 'refused', how, perform });

const NOBODY = '99999999-9999-4999-8999-999999999999';
const attach = (world: MatrixWorld, id: string, body: object): Promise<any> => world.call('POST', `/servers/${id}/os-volume_attachments`, { volumeAttachment: body });

async function attached(world: MatrixWorld, id: string, over: object = {}): Promise<string> {
  const volumeId = await world.volume();
  await attach(world, id, { volumeId, device: '/dev/vdb', ...over });
  await world.volumeIs(volumeId, 'in-use');
  return volumeId;
}

async function detached(world: MatrixWorld, id: string, volume: string): Promise<void> {
  await world.call('DELETE', `/servers/${id}/os-volume_attachments/${volume}`);
  await world.volumeIs(volume, 'available');
  await world.blockStorage('DELETE', `/volumes/${volume}`);
}

async function there(world: MatrixWorld, id: string): Promise<void> {
  assert.equal(await world.inGuest(id, 'echo alive'), 'alive');
}

const power: Row[] = [
  works('operation.launch', 'Launch instance', 'a container is created and started behind its cable', there),
  works('operation.pause', 'Stop instance CPUs (pause)', 'the freezer of its control group', async (world, id) => {
    await world.act(id, { pause: null });
    await world.settled(id, 'PAUSED');
  }),
  works('operation.unpause', 'Resume instance CPUs (unpause)', 'the freezer of its control group', async (world, id) => {
    await world.act(id, { unpause: null });
    await world.settled(id, 'ACTIVE');
    await there(world, id);
  }),
  works('operation.suspend', 'Suspend instance', 'frozen, and its memory given back', async (world, id) => {
    await world.act(id, { suspend: null });
    await world.settled(id, 'SUSPENDED');
  }),
  works('operation.resume', 'Restore instance', 'thawed', async (world, id) => {
    await world.act(id, { resume: null });
    await world.settled(id, 'ACTIVE');
    await there(world, id);
  }),
  works('operation.reboot', 'Reboot instance', 'its processes are started again in the same network namespace', async (world, id) => {
    const before = await world.address(id);
    await world.act(id, { reboot: { type: 'SOFT' } });
    await world.settled(id, 'ACTIVE');
    assert.equal(await world.address(id), before);
    await there(world, id);
  }),
  works('operation.rescue', 'Rescue instance', 'another guest in its place, its own root file system at /mnt/rescue', async (world, id) => {
    await world.inGuest(id, 'echo kept > /kept; sync');
    await world.act(id, { rescue: null });
    await world.settled(id, 'RESCUE');
    assert.equal(await world.inGuest(`${id}-rescue`, 'cat /mnt/rescue/kept'), 'kept');
    await world.act(id, { unrescue: null });
    await world.settled(id, 'ACTIVE');
    assert.equal(await world.inGuest(id, 'cat /kept'), 'kept');
  }),
  works('operation.trigger-crash-dump', 'Trigger crash dump', 'a signal to its first process', async (world) => {
    const id = await world.boot();
    await world.act(id, { trigger_crash_dump: null });
    await world.remove(id);
  }),
  works('operation.terminate', 'Shutdown instance', 'its container, cables, disk and claims go', async (world) => {
    await world.remove(await world.boot());
  }),
];

const change: Row[] = [
  works('operation.resize', 'Resize instance', 'limits are changed while it runs where its host has room, else it moves', async (world, id) => {
    const { flavor } = await world.call('POST', '/flavors', { flavor: { name: 'double', vcpus: 2, ram: 128, disk: 1 } });
    await world.act(id, { resize: { flavorRef: flavor.id } });
    await world.settled(id, 'VERIFY_RESIZE');
    await world.act(id, { revertResize: null });
    await world.settled(id, 'ACTIVE');
    await there(world, id);
  }),
  works('operation.snapshot', 'Save snapshot of instance disk', 'the layer that it changed becomes an image upon those it came from', async (world, id) => {
    const { image_id } = await world.act(id, { createImage: { name: 'shot' } });
    for (;;) {
      const { status } = await world.cloud.admin.call('image', 'GET', `/images/${image_id}`);
      if (status === 'active') break;
      assert.ok(['queued', 'saving', 'importing', 'uploading'].includes(status), status);
    }
    await world.settled(id, 'ACTIVE');
  }),
  works('operation.rebuild', 'Rebuild instance', 'a new container in its network namespace', async (world, id) => {
    const before = await world.address(id);
    await world.act(id, { rebuild: { imageRef: world.image } });
    await world.settled(id, 'ACTIVE');
    assert.equal(await world.address(id), before);
    await there(world, id);
  }),
  works('operation.set-admin-password', 'Set instance admin password', 'written into its password file', async (world, id) => {
    await world.act(id, { changePassword: { adminPass: 'a-new-secret' } });
    await world.settled(id, 'ACTIVE');
  }),
  works('operation.attach-interface', 'Attach virtual network interface to instance', 'a cable into the network namespace that it has', async (world, id) => {
    const { interfaceAttachment } = await world.call('POST', `/servers/${id}/os-interface`, { interfaceAttachment: { net_id: world.network } });
    while (!(await world.inGuest(id, 'ip -o addr show eth1')).includes(interfaceAttachment.fixed_ips[0].ip_address));
  }),
  works('operation.detach-interface', 'Detach virtual network interface from instance', 'the cable goes', async (world, id) => {
    const { interfaceAttachments } = await world.call('GET', `/servers/${id}/os-interface`);
    await world.call('DELETE', `/servers/${id}/os-interface/${interfaceAttachments.at(-1).port_id}`);
    while ((await world.inGuest(id, 'ls /sys/class/net')).includes('eth1'));
  }),
  works('operation.attach-tagged-interface', 'Attach tagged virtual network interface to instance', 'the tag is in the metadata', async (world, id) => {
    const { interfaceAttachment } = await world.call('POST', `/servers/${id}/os-interface`, { interfaceAttachment: { net_id: world.network, tag: 'second' } });
    assert.equal(interfaceAttachment.tag, 'second');
    await world.call('DELETE', `/servers/${id}/os-interface/${interfaceAttachment.port_id}`);
  }),
  works('operation.device-tags', 'Device tags', 'the tag is in the metadata', async (world) => {
    const { server } = await world.call('POST', '/servers', { server: { name: 'tagged', imageRef: world.image, flavorRef: world.flavor, networks: [{ uuid: world.network, tag: 'front' }] } });
    await world.settled(server.id, 'ACTIVE');
    assert.equal((await world.call('GET', `/servers/${server.id}/os-interface`)).interfaceAttachments[0].tag, 'front');
    await world.remove(server.id);
  }),
];

const facts: Row[] = [
  works('operation.get-guest-info', 'Guest instance status', "what the engine tells, and its control group's figures", async (world, id) => {
    const { state, uptime } = await world.call('GET', `/servers/${id}/diagnostics`);
    assert.equal(state, 'running');
    assert.ok(uptime >= 0);
  }),
  works('operation.get-host-uptime', 'Guest host uptime', 'read by the agent', async (world) => {
    const [host] = (await world.call('GET', '/os-hypervisors/detail')).hypervisors;
    assert.match(host.uptime, /up/);
  }),
  works('operation.get-host-ip', 'Guest host ip', 'the address by which the agent reaches its controller', async (world) => {
    const [host] = (await world.call('GET', '/os-hypervisors/detail')).hypervisors;
    assert.match(host.host_ip, /^[\d.]+$/);
  }),
  works('operation.maintenance-mode', 'Set the host in a maintenance mode', 'its service is disabled: servers stay, none comes', async (world) => {
    const [service] = (await world.call('GET', '/os-services?binary=nova-compute')).services;
    await world.call('PUT', `/os-services/${service.id}`, { status: 'disabled', disabled_reason: 'new disks' });
    assert.match(await world.noHost({}), /No valid host/);
    await world.call('PUT', `/os-services/${service.id}`, { status: 'enabled' });
  }),
  works('operation.report-cpu-traits', 'Report CPU traits', 'from /proc/cpuinfo to placement', async (world) => {
    assert.ok((await world.traits()).some((trait) => trait.startsWith('HW_CPU_')));
  }),
  works('operation.cache-images', 'Cache base images for faster instance boot', 'nodes keep layers by digest, and fetch what they are told to', async (world) => {
    const { aggregate } = await world.call('POST', '/os-aggregates', { aggregate: { name: 'all' } });
    const [host] = (await world.call('GET', '/os-hypervisors/detail')).hypervisors;
    await world.call('POST', `/os-aggregates/${aggregate.id}/action`, { add_host: { host: host.service.host } });
    await world.call('POST', `/os-aggregates/${aggregate.id}/images`, { cache: [{ id: world.image }] });
    await world.call('POST', `/os-aggregates/${aggregate.id}/action`, { remove_host: { host: host.service.host } });
    await world.call('DELETE', `/os-aggregates/${aggregate.id}`);
  }),
  works('storage.image', 'Image storage support', "Docker's archives, pushed images and disk images of systems", async (world) => {
    assert.equal((await world.cloud.admin.call('image', 'GET', `/images/${world.image}`)).status, 'active');
  }),
];

const guest: Row[] = [
  works('guest.setup.configdrive', 'Config drive support', 'a file system labelled config-2', async (world) => {
    const id = await world.boot({ config_drive: true });
    assert.equal((await world.call('GET', `/servers/${id}`)).server.config_drive, 'True');
    await world.remove(id);
  }),
  works('guest.setup.inject.file', 'Inject files into disk image', 'written before its first process starts (up to 2.56)', async (world) => {
    const { server } = await world.cloud.admin.call('compute', 'POST', '/servers', { server: { name: 'filed', imageRef: world.image, flavorRef: world.flavor, networks: [{ uuid: world.network }], personality: [{ path: '/etc/greeting', contents: Buffer.from('hello').toString('base64') }] } });
    await world.settled(server.id, 'ACTIVE');
    assert.equal(await world.inGuest(server.id, 'cat /etc/greeting'), 'hello');
    await world.remove(server.id);
  }),
  works('guest.setup.inject.networking', 'Inject guest networking config', 'addresses and routes are set before its first process starts', async (world, id) => {
    assert.match(await world.inGuest(id, 'ip -o -4 addr show eth0'), new RegExp(await world.address(id)));
  }),
  works('guest.disk.rate-limit', 'Instance disk I/O limits', 'quota:disk_* of the flavor, by the control group', async (world) => {
    const { flavor } = await world.call('POST', '/flavors', { flavor: { name: 'slow-disk', vcpus: 1, ram: 64, disk: 1 } });
    await world.call('POST', `/flavors/${flavor.id}/os-extra_specs`, { extra_specs: { 'quota:disk_write_bytes_sec': '1048576' } });
    await world.remove(await world.boot({ flavorRef: flavor.id }));
  }),
  works('guest.disk.autoconfig', 'Auto configure disk', 'the disk has the size of the flavor', async (world) => {
    const { server } = await world.call('POST', '/servers', { server: { name: 'auto', imageRef: world.image, flavorRef: world.flavor, networks: [{ uuid: world.network }], 'OS-DCF:diskConfig': 'AUTO' } });
    await world.settled(server.id, 'ACTIVE');
    assert.equal((await world.call('GET', `/servers/${server.id}`)).server['OS-DCF:diskConfig'], 'AUTO');
    await world.remove(server.id);
  }),
  works('console.serial.log', 'View serial console logs', 'what its first process writes', async (world, id) => {
    assert.equal(typeof (await world.act(id, { 'os-getConsoleOutput': { length: 10 } })).output, 'string');
  }),
  works('console.serial.interactive', 'Remote interactive serial console', 'a shell, its first process or its log over a WebSocket', async (world, id) => {
    assert.match((await world.call('POST', `/servers/${id}/remote-consoles`, { remote_console: { protocol: 'serial', type: 'serial' } })).remote_console.url, /^(ws|http)/);
  }),
  works('console.vnc', 'Remote desktop over VNC', 'the same terminal, as a page at the URL', async (world, id) => {
    assert.match((await world.call('POST', `/servers/${id}/remote-consoles`, { remote_console: { protocol: 'vnc', type: 'novnc' } })).remote_console.url, /^http/);
  }),
];

const screen = (key: string, title: string, protocol: string, type: string): Row =>
  refused(key, title, 'containers have no screen', (world, id) => world.refused(() => world.call('POST', `/servers/${id}/remote-consoles`, { remote_console: { protocol, type } })));

const shared = 'the kernel is shared with the host';
const no: Row[] = [
  screen('console.rdp', 'Remote desktop over RDP', 'rdp', 'rdp-html5'),
  screen('console.spice', 'Remote desktop over SPICE', 'spice', 'spice-html5'),
  refused('operation.live-migrate', 'Live migrate instance across hosts', 'a container does not move while it runs', (world, id) => world.refused(() => world.act(id, { 'os-migrateLive': { host: null, block_migration: 'auto' } }))),
  refused('operation.force-live-migration-to-complete', 'Force live migration to complete', 'there is none to be forced', (world, id) => world.refused(() => world.call('POST', `/servers/${id}/migrations/1/action`, { force_complete: null }))),
  refused('operation.abort-in-progress-live-migration', 'Abort an in-progress or queued live migration', 'there is none to be aborted', (world, id) => world.refused(() => world.call('DELETE', `/servers/${id}/migrations/1`))),
  refused('operation.uefi-boot', 'uefi boot', shared, (world) => world.noHost({ image: { hw_firmware_type: 'uefi' } })),
  refused('operation.boot-encrypted-vm', 'Boot instance with secure encrypted memory', shared, (world) => world.noHost({ flavor: { 'hw:mem_encryption': 'True' } })),
  refused('operation.boot-emulated-tpm', 'Boot instance with an emulated trusted platform module (TPM)', shared, (world) => world.noHost({ flavor: { 'hw:tpm_version': '2.0', 'hw:tpm_model': 'tpm-crb' } })),
  refused('operation.boot-stateless-firmware', 'Boot instance with stateless firmware', shared, (world) => world.noHost({ image: { hw_firmware_stateless: 'true', hw_firmware_type: 'uefi' } })),
  refused('operation.file-backed-memory', 'File backed memory', 'the memory of containers is anonymous', (world) => world.noHost({ flavor: { 'trait:COMPUTE_MEM_BACKING_FILE': 'required' } })),
  refused('operation.port-with-resource-request', 'SR-IOV ports with resource request', 'ports are cables of a bridge', async (world) => {
    const { port } = await world.cloud.admin.call('network', 'POST', '/ports', { port: { network_id: world.network, 'binding:vnic_type': 'direct' } });
    const words = await world.fails({ networks: [{ port: port.id }] });
    await world.cloud.admin.call('network', 'DELETE', `/ports/${port.id}`);
    return words;
  }),
];

/** What block storage has to offer first. */
const later: Row[] = [
  works('operation.extend-volume', 'Extend block volume attached to instance', 'the loop device grows', async (world, id) => {
    const volume = await attached(world, id);
    await world.blockStorage('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 2 } });
    await world.volumeIs(volume, 'in-use');
    while (Number(await world.inGuest(id, 'cat /sys/block/vdb/size 2>/dev/null || blockdev --getsz /dev/vdb')) !== 2 * 2 ** 21);
    await detached(world, id, volume);
  }),
  refused('operation.swap-volume', 'Swap block volumes', 'block storage asks for it when it moves a volume, and there is one back end yet', async (world, id) => {
    const [old, next] = [await attached(world, id, { device: '/dev/vdc' }), await world.volume()];
    const words = await world.refused(() => world.call('PUT', `/servers/${id}/os-volume_attachments/${old}`, { volumeAttachment: { volumeId: next } }));
    await detached(world, id, old);
    return words;
  }),
  works('operation.multiattach-volume', 'Attach block volume to multiple instances', 'the same device in several containers of a node', async (world, id) => {
    const { volume_type } = await world.blockStorage('POST', '/types', { volume_type: { name: 'shared', extra_specs: { multiattach: '<is> True' } } });
    const volume = await world.volume({ volume_type: volume_type.id });
    const other = await world.boot({ name: 'other' });
    for (const one of [id, other]) await attach(world, one, { volumeId: volume });
    await world.volumeIs(volume, 'in-use');
    await world.remove(other);
    await detached(world, id, volume);
  }),
  refused('operation.encrypted-volume', 'Attach encrypted block volume to server', 'volumes are not encrypted yet', async (world) => {
    const { volume_type } = await world.blockStorage('POST', '/types', { volume_type: { name: 'luks' } });
    await world.blockStorage('POST', `/types/${volume_type.id}/encryption`, { encryption: { provider: 'luks', cipher: 'aes-xts-plain64', key_size: 256, control_location: 'front-end' } });
    const { volume } = await world.blockStorage('POST', '/volumes', { volume: { size: 1, volume_type: volume_type.id } });
    await world.volumeIs(volume.id, 'error');
    const { messages } = await world.blockStorage('GET', '/messages');
    return messages[0].user_message;
  }),
  refused('operation.rebuild-volume-backed', 'Rebuild volume backed instance', 'servers boot from images, volumes come beside', async (world) => {
    const volume = await world.volume();
    const device = { boot_index: 0, source_type: 'volume', destination_type: 'volume', uuid: volume };
    return await world.refused(() => world.call('POST', '/servers', { server: { name: 'rooted', flavorRef: world.flavor, networks: [{ uuid: world.network }], block_device_mapping_v2: [device] } }));
  }),
];

const NO_TRANSPORT = 'volumes are devices of the node that they are on';
const transport = (key: string, title: string, driver_volume_type: string): Row =>
  refused(key, title, NO_TRANSPORT, async (world) => {
    const { volume_type } = await world.blockStorage('POST', '/types', { volume_type: { name: driver_volume_type, extra_specs: { storage_protocol: driver_volume_type } } });
    const { volume } = await world.blockStorage('POST', '/volumes', { volume: { size: 1, volume_type: volume_type.id } });
    await world.volumeIs(volume.id, 'error');
    await world.blockStorage('DELETE', `/volumes/${volume.id}`);
    return `no backend has the protocol ${driver_volume_type}`;
  });

const volumes: Row[] = [
  works('storage.block', 'Block storage support', 'volumes are files with loop devices', async (world) => {
    await world.blockStorage('DELETE', `/volumes/${await world.volume()}`);
  }),
  works('operation.attach-volume', 'Attach block volume to instance', 'its device, allowed for that one number only, in a container that runs', async (world, id) => {
    const volume = await attached(world, id);
    assert.match(await world.inGuest(id, 'ls /dev/vdb'), /vdb/);
    await detached(world, id, volume);
  }),
  works('operation.detach-volume', 'Detach block volume from instance', 'its device goes, unless somebody has it open', async (world, id) => {
    await detached(world, id, await attached(world, id));
    assert.equal(await world.inGuest(id, 'ls /dev/vdb 2>/dev/null'), '');
  }),
  works('operation.attach-tagged-volume', 'Attach tagged block device to instance', 'the tag is in the metadata', async (world, id) => {
    const volume = await attached(world, id, { tag: 'data' });
    assert.equal((await world.call('GET', `/servers/${id}/os-volume_attachments`)).volumeAttachments[0].tag, 'data');
    await detached(world, id, volume);
  }),
  transport('storage.block.backend.fibrechannel', 'Block storage over fibre channel', 'FC'),
  transport('storage.block.backend.iscsi', 'Block storage over iSCSI', 'iSCSI'),
  transport('storage.block.backend.iscsi.auth.chap', 'CHAP authentication for iSCSI', 'iSCSI-CHAP'),
  ...later,
  refused('operation.quiesce', 'quiesce', 'snapshots of volumes are taken where they are', (world) => world.refused(() => world.call('POST', '/os-assisted-volume-snapshots', { snapshot: { volume_id: NOBODY, create_info: { snapshot_id: NOBODY, type: 'qcow2', new_file: 'x' } } }))),
  refused('operation.unquiesce', 'unquiesce', 'snapshots of volumes are taken where they are', (world) => world.refused(() => world.call('POST', '/os-assisted-volume-snapshots', { snapshot: { volume_id: NOBODY, create_info: { snapshot_id: NOBODY, type: 'qcow2', new_file: 'x' } } }))),
];

const last: Row[] = [
  refused('operation.trusted-certs', 'Validate image with trusted certificates', 'nodes take an image by its digest; certificates are not looked at', (world) =>
    world.refused(() => world.call('POST', '/servers', { server: { name: 'trusting', imageRef: world.image, flavorRef: world.flavor, networks: [{ uuid: world.network }], trusted_image_certificates: ['one'] } }))),
  works('operation.evacuate', 'Evacuate instances from a host', 'made anew of its image on another host, with its ports, once its own counts as down', async (world, id) => {
    const [service] = (await world.call('GET', '/os-services?binary=nova-compute')).services;
    assert.match(await world.refused(() => world.act(id, { evacuate: {} })), /still in use/);
    await world.cloud.kill('agent');
    await world.call('PUT', `/os-services/${service.id}`, { forced_down: true });
    await world.act(id, { evacuate: {} });
  }),
];

export const rows: readonly Row[] = [...power, ...change, ...facts, ...guest, ...no, ...volumes, ...last];

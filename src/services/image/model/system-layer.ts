/** What makes the root file system of a disk a container's: a small layer over it, and the configuration. Pure. */
import type { RootFacts } from '../../../agents/compute/protocol.ts';
import { endOfArchive, type NewEntry, writeEntry } from '../../../kernel/tar.ts';

/** Network and devices come from outside; mounts and kernel settings are the host's. A unit that is not there is masked in vain, and harmlessly. */
const MASKED = [
  'systemd-networkd.service', 'systemd-networkd.socket', 'systemd-networkd-wait-online.service', 'networking.service', 'ifup@.service',
  'NetworkManager.service', 'NetworkManager-wait-online.service', 'NetworkManager-dispatcher.service', 'wicked.service', 'dhcpcd.service', 'connman.service',
  'systemd-resolved.service', 'ufw.service', 'firewalld.service',
  'systemd-udevd.service', 'systemd-udevd-control.socket', 'systemd-udevd-kernel.socket', 'systemd-udev-trigger.service', 'multipathd.service', 'multipathd.socket',
  'systemd-modules-load.service', 'systemd-remount-fs.service', 'getty@tty1.service', 'serial-getty@ttyS0.service',
  'dev-hugepages.mount', 'dev-mqueue.mount', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount',
  'proc-sys-fs-binfmt_misc.automount', 'tmp.mount',
];

const HOST_KEYS = `[Unit]
Description=Make the SSH host keys of this server
ConditionPathExists=/usr/bin/ssh-keygen
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service ssh.socket sshd.socket

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
`;

/** Its datasource is the seed that the agent puts there; cables are none of its business. */
const CLOUD_INIT = 'network: {config: disabled}\ndatasource_list: [NoCloud, None]\n';

export function systemLayer(facts: RootFacts): Buffer {
  const entries = [file('etc/fstab', '')];
  if (facts.init === 'systemd') {
    // Empty, and so neither another machine's nor the sign of a first boot that would enable every unit.
    entries.push(file('etc/machine-id', '', 0o444));
    entries.push(...MASKED.map((unit) => link(`etc/systemd/system/${unit}`, '/dev/null')));
    entries.push(file('etc/systemd/system/gantry-host-keys.service', HOST_KEYS));
    entries.push(link('etc/systemd/system/multi-user.target.wants/gantry-host-keys.service', '/etc/systemd/system/gantry-host-keys.service'));
  }
  if (facts.has_ifupdown) entries.push(file('etc/network/interfaces', 'auto lo\niface lo inet loopback\n'));
  if (facts.has_cloud_init) entries.push(file('etc/cloud/cloud.cfg.d/99-gantry.cfg', CLOUD_INIT));
  return Buffer.concat([...entries.map(writeEntry), endOfArchive()]);
}

const file = (name: string, text: string, mode = 0o644): NewEntry => ({ name, content: Buffer.from(text), mode });
const link = (name: string, target: string): NewEntry => ({ name, type: '2', link: target, mode: 0o777 });

/** @param diff_ids hex sha-256, lowest layer first. */
export function systemConfig(facts: RootFacts, diff_ids: readonly string[], created: string): Buffer {
  const config = {
    Cmd: [facts.init_path],
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    Labels: { 'gantry:system': 'true' },
  };
  const history = ['the root file system of a disk image', 'settings of a container'].map((created_by) => ({ created, created_by: `gantry: ${created_by}` }));
  return Buffer.from(JSON.stringify({
    architecture: facts.architecture ?? 'amd64', os: 'linux', created, config,
    rootfs: { type: 'layers', diff_ids: diff_ids.map((id) => `sha256:${id}`) },
    history,
  }));
}

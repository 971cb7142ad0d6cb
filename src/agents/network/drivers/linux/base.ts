import { statSync } from 'node:fs';
import { unavailable } from '../../../../kernel/fault.ts';
import { deviceOf, isHostLeg, metadataOf, namespacePath, routerOf } from './names.ts';
import type { Shell } from './tools.ts';

/**
 * Settings of the namespace that holds the bridges. Bridged packets meet the filter only on bridges that ask for
 * it; no address is made up for a bridge or a tap; nothing is ever routed here.
 */
const SETTINGS = [
  'cd /proc/sys/net',
  'for f in bridge/bridge-nf-call-iptables bridge/bridge-nf-call-ip6tables bridge/bridge-nf-call-arptables; do echo 0 > $f || exit 1; done',
  'echo 0 > ipv4/ip_forward; echo 1 > ipv6/conf/default/addr_gen_mode; echo 1 > ipv6/conf/all/addr_gen_mode',
  'ip link set lo up',
].join('\n');

/** The namespace's identity; undefined when there is none. */
export function namespaceId(name: string): string | undefined {
  const stat = statSync(namespacePath(name), { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}

/** Makes the cloud's namespace, or makes sure that it is usable. */
export async function ensureCloud(shell: Shell, cloud: string): Promise<void> {
  const script = [
    '[ -d /proc/sys/net/bridge ] || modprobe br_netfilter || { echo "the kernel module br_netfilter cannot be loaded"; false; } &&',
    `{ [ -e ${namespacePath(cloud)} ] || ip netns add ${cloud}; } && nsenter --net=${namespacePath(cloud)} sh -c '${SETTINGS}'`,
  ].join(' ');
  const { output, status } = await shell.run(script);
  if (status !== 0) throw unavailable('network.no-namespace', `The network namespace '${cloud}' cannot be set up: ${output.trim() || `exit ${status}`}`);
}

/** Removes every namespace, link and filter of this cloud, and nothing else. `enter_host` runs what follows in the host's namespace. */
export async function removeCloud(shell: Shell, cloud: string, enter_host: string): Promise<void> {
  const listing = await shell.run(`ls /run/netns 2>/dev/null; echo @@part; ${enter_host}ip -o link show type veth`);
  const [names = '', links = ''] = listing.output.split('@@part\n');
  const legs = links.split('\n').map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? '').filter((name) => isHostLeg(cloud, name));
  const devices = names.split('\n').filter((name) => deviceOf(cloud, name) !== undefined || routerOf(cloud, name) !== undefined || metadataOf(cloud, name) !== undefined);
  const script: string[] = legs.map((leg) => `${enter_host}ip link del ${leg}`);
  if (names.split('\n').includes(cloud)) {
    // Deleting the links first: a namespace goes away later, in the background, and they with it.
    const inside = `nsenter --net=${namespacePath(cloud)}`;
    script.push(`${inside} ip -o link show | while IFS=': @' read -r n l rest; do case "$l" in tap*|brq*|ext*|vxl*|rtr*|mdt*) echo "link del $l";; esac; done | ${inside} ip -force -batch -`);
  }
  script.push(...devices.map((name) => `ip netns del ${name}`));
  if (names.split('\n').includes(cloud)) script.push(`ip netns del ${cloud}`);
  script.push(`if ${enter_host}nft list table inet ${cloud} >/dev/null 2>&1; then ${enter_host}nft delete table inet ${cloud}; fi`);
  const { output } = await shell.run(script.join('\n'));
  const left = await shell.run(`ls /run/netns 2>/dev/null | grep -E '^${cloud}(-([rm]-)?[0-9a-f-]{36})?$'; ${enter_host}ip -o link show type veth | grep -E '^[0-9]+: ${cloud}-[0-9a-f]{8}@'`);
  if (left.output.trim() !== '') throw unavailable('network.purge-incomplete', `Left behind: ${left.output.trim()} (${output.trim()})`);
}

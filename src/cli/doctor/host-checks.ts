import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { fail, ok, warn } from './check.ts';
import type { Check, Finding, Subject } from './check.ts';
import type { Probes } from './probes.ts';

export const GIB = 1024 ** 3;

export const checkSystem: Check = (probes) => {
  const { os, arch } = probes.platform();
  if (os !== 'linux') return [fail('GY-OS-001', 'operating system', `this is ${os}; containers and network namespaces are Linux's`, 'run Gantry on a Linux host or in a Linux virtual machine')];
  const release = /^PRETTY_NAME="?([^"\n]+)/m.exec(probes.readText('/etc/os-release') ?? '')?.[1] ?? 'Linux';
  return [ok('GY-OS-001', `operating system: ${release}, ${arch}`)];
};

export const checkRoot: Check = (probes) =>
  probes.uid() === 0
    ? [ok('GY-ROOT-001', 'root, for the agent')]
    : [fail('GY-ROOT-001', 'root, for the agent', `running as uid ${probes.uid()}; the agent makes network namespaces and talks to Docker`, 'sudo ./gantry up (the controller gives root up by itself)')];

export const checkNode: Check = (probes) => {
  const { node } = probes.platform();
  if (Number(node.split('.')[0]) >= 24) return [ok('GY-NODE-001', `Node ${node}`)];
  return [fail('GY-NODE-001', `Node ${node}`, 'Node 24 or newer is needed', 'start through ./gantry, which fetches it')];
};

export const checkClock: Check = (probes, subject) => {
  const newest = probes.stat(join(subject.checkout, 'package-lock.json'))?.mtime;
  const now = probes.now();
  if (newest === undefined || now.getTime() > newest.getTime() - 86_400_000) return [ok('GY-CLOCK-001', 'clock')];
  return [warn('GY-CLOCK-001', 'clock', `it says ${now.toISOString()}, which is before these files were written; tokens would expire wrongly`, 'set the clock, e.g. timedatectl set-ntp true')];
};

export const checkMemory: Check = (probes) => {
  const available = probes.memory().available_bytes;
  const title = `memory: ${(available / GIB).toFixed(1)} GiB available`;
  if (available < 0.4 * GIB) return [fail('GY-MEM-001', title, 'controller, agent and engine need about 0.4 GiB', 'stop something else or give the machine more memory')];
  if (available < 1 * GIB) return [warn('GY-MEM-001', title, 'only a few small servers will fit', 'give the machine more memory for more servers')];
  return [ok('GY-MEM-001', title)];
};

export const checkDisk: Check = (probes, subject) => {
  const free = probes.diskFree(subject.data_dir);
  const title = `disk: ${(free / GIB).toFixed(1)} GiB free for ${subject.data_dir}`;
  if (free < 0.5 * GIB) return [fail('GY-DISK-001', title, 'images and containers need at least 0.5 GiB', 'free some space or name another place with --data-dir')];
  if (free < 5 * GIB) return [warn('GY-DISK-001', title, 'larger images may not fit', 'free some space or name another place with --data-dir')];
  return [ok('GY-DISK-001', title)];
};

/** The unprivileged controller has to get at its own files. */
export const checkDataDir: Check = (probes, subject) => {
  if (probes.uid() !== 0) return [];
  const closed = closedParent(probes, dirname(subject.data_dir), subject.controller_uid);
  if (closed === undefined) return [ok('GY-DATA-001', `data directory: ${subject.data_dir}`)];
  return [fail('GY-DATA-001', `data directory: ${subject.data_dir}`, `${closed} lets nobody but its owner through, and the controller runs unprivileged`, `name another place with --data-dir, or chmod o+x ${closed}`)];
};

/** Sources and packages must be readable for all; closed folders above them are got round by `up`. */
export const checkCheckout: Check = (probes, subject) => {
  if (probes.uid() !== 0) return [];
  const unreadable = ['package.json', 'src/main.ts', 'src', 'node_modules'].map((path) => join(subject.checkout, path)).find((path) => {
    const entry = probes.stat(path);
    return entry !== undefined && entry.uid !== subject.controller_uid && (entry.mode & 0o004) === 0;
  });
  if (unreadable === undefined) return [ok('GY-CHECKOUT-001', `program: ${subject.checkout}`)];
  return [fail('GY-CHECKOUT-001', `program: ${subject.checkout}`, `${unreadable} is readable for its owner only, and the controller runs unprivileged`, `chmod -R o+rX ${subject.checkout}`)];
};

/** The nearest folder on the way that `uid` may not pass, or undefined. */
export function closedParent(probes: Pick<Probes, 'stat'>, path: string, uid: number): string | undefined {
  const entry = probes.stat(path);
  if (entry !== undefined && entry.uid !== uid && (entry.mode & 0o001) === 0) return path;
  return dirname(path) === path ? undefined : closedParent(probes, dirname(path), uid);
}

/** Why no server can listen on this address, or undefined. */
export function unusableHost(probes: Pick<Probes, 'addresses'>, host: string): string | undefined {
  if (host === 'localhost' || host === '0.0.0.0' || host === '::' || /^127\.\d+\.\d+\.\d+$/.test(host)) return undefined;
  if (isIP(host) === 0) return `"${host}" is no IP address`;
  return probes.addresses().includes(host) ? undefined : `this machine has no address ${host}`;
}

export const checkHost: Check = (probes, subject) => {
  const why = unusableHost(probes, subject.host);
  if (why === undefined) return [ok('GY-HOST-001', `address ${subject.host}`)];
  return [fail('GY-HOST-001', `address ${subject.host}`, why, './gantry up --host 127.0.0.1   (or an address that `ip address` shows, or 0.0.0.0)')];
};

export const checkPort: Check = (probes, subject) => {
  const title = `port ${subject.port} on ${subject.host}`;
  const holder = probes.portHolder(subject.host, subject.port);
  if (holder === undefined || subject.own_pids.includes(holder.pid)) return [ok('GY-PORT-001', title)];
  const who = holder.pid === 0 ? holder.program : `${holder.program} (process ${holder.pid})`;
  return [fail('GY-PORT-001', title, `${who} listens there`, `stop it, or take another port: ./gantry up --port ${freePortNear(probes, subject)}`)];
};

function freePortNear(probes: Probes, subject: Subject): number {
  for (let port = subject.port + 1; port < subject.port + 100 && port < 65535; port++) {
    if (probes.portHolder(subject.host, port) === undefined) return port;
  }
  return 0;
}

const kernelFeatures: { id: string; title: string; script: string; fix: string }[] = [
  { id: 'GY-KERNEL-001', title: 'network namespaces', script: 'true', fix: 'use a kernel with CONFIG_NET_NS; in a container, give it the SYS_ADMIN capability' },
  { id: 'GY-KERNEL-002', title: 'bridges', script: 'ip link add gyb type bridge', fix: 'modprobe bridge' },
  { id: 'GY-KERNEL-003', title: 'veth cables', script: 'ip link add gyv type veth peer name gyw', fix: 'modprobe veth' },
  { id: 'GY-KERNEL-004', title: 'nftables', script: "nft add table inet gy && nft add chain inet gy c '{ type filter hook forward priority 0; }'", fix: 'modprobe nf_tables; the kernel needs CONFIG_NFT_CT and CONFIG_NF_TABLES_INET' },
  { id: 'GY-KERNEL-005', title: 'filtering on bridges', script: 'modprobe -q br_netfilter 2>/dev/null; test -e /proc/sys/net/bridge/bridge-nf-call-iptables', fix: 'modprobe br_netfilter' },
];

/** Each feature is tried for real, in a network namespace that ends with the try. */
export const checkKernel: Check = (probes) => {
  if (probes.uid() !== 0) return [warn('GY-KERNEL-001', 'kernel features', 'only root can try them', 'sudo ./gantry doctor')];
  const findings = kernelFeatures.map(({ id, title, script, fix }): Finding => {
    const needs = script.startsWith('ip ') ? 'ip' : script.startsWith('nft ') ? 'nft' : 'sh';
    if (probes.which(needs) === undefined) return warn(id, title, `cannot be tried before ${needs} is installed`, './gantry up installs it');
    const tried = probes.run('unshare', ['--net', '--', 'sh', '-c', script]);
    return tried.status === 0 ? ok(id, title) : fail(id, title, firstLine(tried.stderr) || 'the kernel does not have it', fix);
  });
  return [...findings, overlay(probes)];
};

function overlay(probes: Probes): Finding {
  const known = /\boverlay$/m.test(probes.readText('/proc/filesystems') ?? '') || probes.run('modprobe', ['-q', 'overlay']).status === 0;
  if (known) return ok('GY-KERNEL-006', 'overlay file system');
  return warn('GY-KERNEL-006', 'overlay file system', 'Docker would copy whole images for each container', 'modprobe overlay');
}

export function firstLine(text: string): string {
  return text.trim().split('\n')[0]!;
}

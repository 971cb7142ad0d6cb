import { join } from 'node:path';
import { fail, ok, warn } from './check.ts';
import type { Check, Finding } from './check.ts';
import { loopsOf, viewsOf } from '../leftovers.ts';
import { CLOUD_NOTES, cloudNote } from '../up/runtime.ts';
import { firstLine } from './host-checks.ts';

/** A program that Gantry uses, and Debian's package with it. */
export const neededPrograms: readonly { program: string; package: string; why: string }[] = [
  { program: 'dockerd', package: 'docker.io', why: 'runs the servers' },
  { program: 'ip', package: 'iproute2', why: 'wires the networks' },
  { program: 'nft', package: 'nftables', why: 'enforces security groups' },
  { program: 'dnsmasq', package: 'dnsmasq-base', why: 'answers DHCP and DNS' },
  { program: 'conntrack', package: 'conntrack', why: 'cuts flows of revoked rules' },
  { program: 'busybox', package: 'busybox-static', why: 'is what the hello image is made of' },
  { program: 'dropbear', package: 'dropbear-bin', why: 'is the ssh server of the hello image' },
  { program: 'perl', package: 'perl-base', why: 'runs the engine wrapper' },
];

/** Needed by who boots qcow2 images only: never installed unasked. */
const withoutQemu = warn('GY-PKG-003', 'qemu-img is missing', 'disk images in the format qcow2 cannot be turned into what servers boot', 'apt-get install --no-install-recommends qemu-utils');

export const checkPackages: Check = (probes, subject) => {
  const missing = neededPrograms.filter(({ program }) => probes.which(program) === undefined);
  const wanted = probes.which('qemu-img') === undefined ? [withoutQemu] : [];
  if (missing.length === 0) return [ok('GY-PKG-001', 'packages'), ...wanted];
  const list = missing.map((entry) => entry.package).join(' ');
  const cause = missing.map((entry) => `${entry.package} ${entry.why}`).join('; ');
  const fix = `apt-get install --no-install-recommends ${list}`;
  const installs = subject.may_install && probes.uid() === 0 && probes.which('apt-get') !== undefined;
  if (installs) return [warn('GY-PKG-001', `packages missing: ${list}`, cause, `./gantry up installs them, or: ${fix}`), ...wanted];
  return [fail('GY-PKG-001', `packages missing: ${list}`, cause, fix)];
};

/** Engine API 1.41 is Docker 20.10, what Debian 12 has. */
const OLDEST_API = [1, 41] as const;

export const checkDocker: Check = async (probes, subject) => {
  const engine = await probes.engine(subject.docker_socket);
  if ('error' in engine) return [noEngine(probes.which('dockerd') !== undefined, subject.docker_socket, engine.error)];
  const findings: Finding[] = [ok('GY-DOCKER-001', `Docker ${engine.version} answers, ${engine.storage_driver}, cgroup v${engine.cgroup_version}`)];
  const [major = 0, minor = 0] = engine.api_version.split('.').map(Number);
  if (major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1])) {
    findings.push(fail('GY-DOCKER-002', `Docker API ${engine.api_version}`, `Gantry speaks ${OLDEST_API.join('.')} and newer`, 'upgrade Docker to 20.10 or newer'));
  } else findings.push(ok('GY-DOCKER-002', `Docker API ${engine.api_version}`));
  if (engine.runtimes[subject.runtime] === undefined) {
    findings.push(warn('GY-DOCKER-003', `runtime ${subject.runtime}`, 'the engine does not know it yet', './gantry up registers it'));
  } else findings.push(ok('GY-DOCKER-003', `runtime ${subject.runtime}`));
  const lacking = engine.warnings.filter((line) => /No (memory|pids|cpu cfs|swap) limit/i.test(line));
  if (lacking.length > 0) findings.push(warn('GY-DOCKER-004', 'limits of the engine', lacking.map(firstLine).join('; '), 'boot the kernel with cgroup_enable=memory swapaccount=1'));
  else findings.push(ok('GY-DOCKER-004', 'limits of the engine'));
  return findings;
};

function noEngine(installed: boolean, socket: string, error: string): Finding {
  const title = 'Docker answers';
  if (/EACCES/.test(error)) return fail('GY-DOCKER-001', title, `${socket} may not be opened by this user`, 'run as root');
  const start = installed ? './gantry up starts an engine of its own' : './gantry up installs and starts one';
  return warn('GY-DOCKER-001', title, `${socket}: ${error}`, start);
}

interface Route {
  dst: string;
  dev?: string;
  type?: string;
}

/** Only routes that lead somewhere count: an unreachable or blackhole route harms nobody. */
export const checkSubnets: Check = (probes, subject) => {
  if (probes.which('ip') === undefined) return [warn('GY-NET-001', 'subnets', 'cannot be compared with the routes before ip is installed', './gantry up installs it')];
  const routes = parseRoutes(probes.run('ip', ['-4', '-j', 'route', 'show', 'table', 'main']).stdout)
    .filter((route) => route.dst !== 'default' && !['unreachable', 'blackhole', 'prohibit'].includes(route.type ?? ''))
    .filter((route) => !(route.dev ?? '').startsWith(`${subject.name}-`));
  const clashes = Object.entries(subject.subnets).flatMap(([network, subnet]) =>
    routes.filter((route) => cidrsOverlap(route.dst, subnet)).map((route) => ({ network, subnet, route })));
  if (clashes.length === 0) return [ok('GY-NET-001', `subnets ${Object.values(subject.subnets).join(' and ')} are free`)];
  return clashes.map(({ network, subnet, route }) => {
    const cause = `the host has a route to ${route.dst}${route.dev === undefined ? '' : ` by ${route.dev}`}, and network ${network} is ${subnet}`;
    const other = probes.list(CLOUD_NOTES).find((name) => (route.dev ?? '').startsWith(`${name}-`));
    const elsewhere = `give this cloud others: GANTRY_CLOUD_${network.toUpperCase()}_SUBNET=10.10.2.0/24 ./gantry up … (or ${network}_subnet under [cloud] in gantry.toml)`;
    if (other !== undefined) return fail('GY-NET-001', `subnet ${subnet}`, `the cloud named ${other} on this host has it`, elsewhere);
    const fix = `${elsewhere}; or remove the route (ip route del ${route.dst})`;
    return network === 'public' ? fail('GY-NET-001', `subnet ${subnet}`, cause, fix) : warn('GY-NET-001', `subnet ${subnet}`, `${cause}; servers there could not reach the host's own ${route.dst}`, fix);
  });
};

function parseRoutes(json: string): Route[] {
  try {
    return JSON.parse(json) as Route[];
  } catch {
    return [];
  }
}

export function cidrsOverlap(a: string, b: string): boolean {
  const [first, second] = [range(a), range(b)];
  return first !== undefined && second !== undefined && first.start <= second.end && second.start <= first.end;
}

function range(cidr: string): { start: number; end: number } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(cidr);
  if (match === null) return undefined;
  const address = match.slice(1, 5).reduce((total, byte) => total * 256 + Number(byte), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const start = Math.floor(address / size) * size;
  return { start, end: start + size - 1 };
}

/** Things named after this cloud while its data directory is gone: they would be taken for its own. */
export const checkLeftovers: Check = async (probes, subject) => {
  if (subject.exists) return [ok('GY-LEFT-001', 'leftovers: none that are not this cloud\'s')];
  const owner = probes.readText(cloudNote(subject.name))?.trim();
  if (owner !== undefined && probes.stat(join(owner, 'gantry.toml')) !== undefined) {
    return [fail('GY-LEFT-001', `a cloud named ${subject.name}`, `it is kept in ${owner}, and there can be one of a name`, `./gantry up --data-dir ${owner}   (or name another --name)`)];
  }
  const namespaces = probes.list('/run/netns').filter((name) => name === subject.name || name.startsWith(`${subject.name}-`)).map((name) => `namespace ${name}`);
  const containers = (await probes.containers(subject.docker_socket, `gantry.cloud=${subject.name}`)).map((name) => `container ${name}`);
  const views = viewsOf(subject.name, probes).map((folder) => `folder ${folder}`);
  const loops = loopsOf(join(subject.data_dir, 'agent'), probes).map(({ device }) => `device ${device}`);
  const found = [...namespaces, ...containers, ...views, ...loops];
  if (found.length === 0) return [ok('GY-LEFT-001', 'leftovers of an earlier cloud: none')];
  const shown = found.length > 5 ? `${found.slice(0, 5).join(', ')} and ${found.length - 5} more` : found.join(', ');
  return [warn('GY-LEFT-001', 'leftovers of an earlier cloud', shown, `./gantry down --purge --name ${subject.name} --data-dir ${subject.data_dir}`)];
};

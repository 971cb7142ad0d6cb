/**
 * A Debian disk from its upload to a server that lets its owner in.
 * `node bench/disk-image.ts [--rounds 3] [--out FILE]`. Needs root, Docker and the runtime that `./gantry up` installs, and Debian's packages
 * debootstrap, qemu-utils and openssh-client; the disk is made once and kept in /var/tmp/gantry-test/disk-image.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Key, makeKey, sshWhenUp, uploadDisk, waitConversion } from '../test/support/disk-cloud.ts';
import { makeDisk } from '../test/support/disk-image.ts';
import { type RealCloud, startRealCloud } from '../test/support/real-cloud.ts';
import { addressOf, createServer, deleteServer, makeFlavor, makeOpenGroup, makePublicNetwork, waitServer } from '../test/support/real-cloud-world.ts';
import { type Figure, median, report } from './measure.ts';

const CACHE = '/var/tmp/gantry-test/disk-image';
const PACKAGES = 'systemd,systemd-sysv,openssh-server,iproute2';
const MIRROR = 'http://deb.debian.org/debian';

/** A GPT disk with ext4, as a compressed qcow2. @returns its path. */
async function debianDisk(): Promise<string> {
  const path = join(CACHE, 'debian.qcow2');
  if (existsSync(path)) return path;
  mkdirSync(join(CACHE, 'packages'), { recursive: true });
  const root = join(CACHE, 'rootfs');
  if (!existsSync(root)) {
    const fresh = `${root}.new`;
    rmSync(fresh, { recursive: true, force: true });
    execFileSync('debootstrap', ['--variant=minbase', `--cache-dir=${join(CACHE, 'packages')}`, `--include=${PACKAGES}`, 'bookworm', fresh, MIRROR], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(fresh, root);
  }
  await makeDisk({ root, path: `${path}.new`, size_mib: 1500, partitioned: true, format: 'qcow2' });
  renameSync(`${path}.new`, path);
  return path;
}

interface World {
  cloud: RealCloud;
  key: Key;
  server: { flavorRef: string; networks: object[]; security_groups: object[]; key_name: string };
}

async function prepare(directory: string): Promise<World> {
  const cloud = await startRealCloud({ name: 'gbdisk', toml: '[network]\nquota_port = -1\n' });
  try {
    const { admin } = cloud;
    const key = await makeKey(admin, directory, 'bench');
    const network = await makePublicNetwork(admin, '10.10.82');
    const server = { flavorRef: await makeFlavor(admin, 'bench', { ram: 512 }), networks: [{ uuid: network }], security_groups: [{ name: await makeOpenGroup(admin) }], key_name: key.name };
    return { cloud, key, server };
  } catch (error) {
    await cloud.stop();
    throw error;
  }
}

interface Times {
  uploaded: number;
  converted: number;
  active: number;
  ssh: number;
}

/** Each from the begin of the upload, in seconds. */
async function once({ cloud, key, server }: World, path: string, round: number): Promise<Times> {
  const { admin } = cloud;
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  const imageRef = await uploadDisk(admin, `debian-${round}`, path, 'qcow2');
  const uploaded = since();
  await waitConversion(admin, imageRef, 'done', 300_000);
  const converted = since();
  const id = await createServer(admin, { name: `debian-${round}`, imageRef, ...server });
  const address = addressOf(await waitServer(admin, id, 'ACTIVE'));
  const active = since();
  const inside = await sshWhenUp(key, 'root', address, 'cat /proc/1/comm; hostname; systemctl --failed --no-legend | wc -l');
  const answered = since();
  if (inside.stdout !== `systemd\ndebian-${round}\n0\n`) throw new Error(`the guest is not as expected: ${inside.stdout}${inside.stderr}`);
  await deleteServer(admin, id);
  await admin.call('image', 'DELETE', `/images/${imageRef}`);
  return { uploaded, converted, active, ssh: answered };
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, out: { type: 'string' } } });
const directory = mkdtempSync(join(tmpdir(), 'gantry-bench-disk-'));
let world: World | undefined;
try {
  const path = await debianDisk();
  world = await prepare(directory);
  const times: Times[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) times.push(await once(world, path, round));
  // Later rounds find the layers on the node.
  const [first, ...later] = times;
  const figure = (name: string, key: keyof Times): Figure => {
    const note = later.length === 0 ? '' : `again, layers on the node: ${median(later.map((one) => one[key])).toFixed(1)}`;
    return { name, value: first![key], unit: 's', note };
  };
  report(`A Debian disk image of ${(statSync(path).size / 1e6).toFixed(0)} MB`, [
    figure('upload → active in glance', 'uploaded'), figure('upload → container form', 'converted'),
    figure('upload → server ACTIVE', 'active'), figure('upload → SSH with the key', 'ssh'),
  ], values.out);
} finally {
  await world?.cloud.stop();
  rmSync(directory, { recursive: true, force: true });
}

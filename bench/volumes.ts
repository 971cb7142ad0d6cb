/**
 * Volumes on one node: given to a container that runs and taken from it, snapshots and clones, each in turns with the bare commands.
 * `node bench/volumes.ts [--rounds 10] [--out FILE]`. Needs root and Docker, of which it starts an engine of its own; clones by shared
 * blocks are measured on an XFS file system in a file.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseArgs, promisify } from 'node:util';
import type { GuestVolume } from '../src/agents/compute/protocol.ts';
import { createFileVolumeDriver } from '../src/agents/volume/drivers/file/index.ts';
import type { VolumeDriver } from '../src/agents/volume/protocol.ts';
import { createRig, makeImage, type Rig } from '../test/real/compute/harness.ts';
import { createOwnEngine } from '../test/real/compute/own-engine.ts';
import { type Figure, median, report } from './measure.ts';

const exec = promisify(execFile);
const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
const DATA = 256 * MIB;
const BARE_ATTACH = 'losetup "$1" "$2" && echo "b 7:$4 rw" > "$5/devices.allow" && mknod -m 660 "/proc/$3/root/dev/vdx" b 7 "$4"';
const BARE_DETACH = 'rm "/proc/$3/root/dev/vdx" && echo "b 7:$4 rw" > "$5/devices.deny" && losetup -d "$1"';
const BARE_NUMBER = '900000';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '10' }, out: { type: 'string' } } });
const rounds = Number(options.rounds);
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'gantry-bench-volumes-')));
const took = new Map<string, number[]>();

async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  took.set(name, [...(took.get(name) ?? []), performance.now() - start]);
}

const driverIn = (dir: string): VolumeDriver => createFileVolumeDriver({ dir, chunk: async () => Readable.from([]), writeImage: async () => {} });

async function makeVolume(driver: VolumeDriver, size_bytes: number): Promise<string> {
  const volume_id = randomUUID();
  await driver.create({ volume_id, size_bytes, source: { kind: 'blank' } });
  return volume_id;
}

async function attaching(rig: Rig, volumes: VolumeDriver): Promise<void> {
  const spec = rig.spec(await makeImage());
  const { container_id } = await rig.driver.spawn(spec);
  const { State } = await rig.engine.json<{ State: { Pid: number } }>('GET', `/containers/${container_id}/json`);
  const plain = await makeVolume(volumes, SIZE);
  const made = await makeVolume(volumes, SIZE);
  const of = (volume_id: string, device: string, mount_path: string | null): GuestVolume => ({ volume_id, attachment_id: randomUUID(), device, mount_path, read_only: false, boot_index: null, multiattach: false });
  const file = join(scratch, 'bare.img');
  await exec('truncate', ['-s', String(SIZE), file]);
  const bare = [`/dev/loop${BARE_NUMBER}`, file, String(State.Pid), BARE_NUMBER, `/sys/fs/cgroup/devices/docker/${container_id}`];
  for (let round = 0; round < rounds; round += 1) {
    await timed('attach', () => rig.driver.attachVolume(spec.server_id, of(plain, '/dev/vdb', null)));
    await timed('detach', () => rig.driver.detachVolume(spec.server_id, plain, false));
    await timed('bare attach', () => exec('/bin/sh', ['-c', BARE_ATTACH, 'sh', ...bare]));
    await timed('bare detach', () => exec('/bin/sh', ['-c', BARE_DETACH, 'sh', ...bare]));
    await timed(round === 0 ? 'first mount' : 'mount', () => rig.driver.attachVolume(spec.server_id, of(made, '/dev/vdc', '/data')));
    await timed('unmount', () => rig.driver.detachVolume(spec.server_id, made, false));
  }
  await rig.driver.destroy(spec.server_id);
}

async function copying(kind: string, dir: string): Promise<void> {
  const driver = driverIn(dir);
  const id = await makeVolume(driver, SIZE);
  const disk = await open(join(dir, id, 'disk'), 'r+');
  for (let at = 0; at < DATA; at += MIB) await disk.write(randomBytes(MIB), 0, MIB, at * 2);
  await disk.sync();
  await disk.close();
  for (let round = 0; round < rounds; round += 1) {
    const [snapshot, clone] = [randomUUID(), randomUUID()];
    await timed(`${kind} snapshot`, () => driver.createSnapshot(id, snapshot));
    await timed(`${kind} clone`, () => driver.create({ volume_id: clone, size_bytes: SIZE, source: { kind: 'snapshot', volume_id: id, snapshot_id: snapshot } }));
    await timed(`${kind} cp`, () => exec('/bin/sh', ['-c', 'cp --reflink=auto --sparse=always "$1" "$2" && sync "$2"', 'sh', join(dir, id, 'disk'), join(dir, 'copy')]));
    await driver.removeSnapshot(id, snapshot);
    await driver.remove(clone);
    rmSync(join(dir, 'copy'));
  }
}

const engine = await createOwnEngine();
const volumes = driverIn(join(scratch, 'volumes'));
const rig = await createRig(engine.socket, { volumes });
const pool = join(scratch, 'pool');
mkdirSync(pool);
try {
  await attaching(rig, volumes);
  await copying('plain', join(scratch, 'plain'));
  await exec('/bin/sh', ['-ec', 'truncate -s 4G "$1.img"; mkfs.xfs -q -m reflink=1 "$1.img"; mount -o loop "$1.img" "$1"', 'sh', pool]);
  await copying('shared', join(pool, 'volumes'));
  const figure = (name: string, label: string, note: string): Figure => ({ name: label, value: median(took.get(name) ?? []), unit: 'ms', note });
  const of = (name: string): string => `median of ${rounds}; bare ${median(took.get(name) ?? []).toFixed(1)} ms`;
  report('volumes', [
    figure('attach', 'attach a device', of('bare attach')),
    figure('detach', 'detach a device', of('bare detach')),
    figure('first mount', 'attach a blank volume with a path', 'once; a file system is made'),
    figure('mount', 'attach a volume with a path', 'its file system is checked and mounted'),
    figure('unmount', 'detach a volume with a path', ''),
    figure('plain snapshot', 'snapshot, 256 MiB of 1 GiB, ext4', of('plain cp')),
    figure('plain clone', 'clone, 256 MiB of 1 GiB, ext4', of('plain cp')),
    figure('shared snapshot', 'snapshot, 256 MiB of 1 GiB, XFS', of('shared cp')),
    figure('shared clone', 'clone, 256 MiB of 1 GiB, XFS', of('shared cp')),
  ], options.out);
} finally {
  await rig.close();
  await engine.close();
  await exec('umount', [pool]).catch(() => {});
  rmSync(scratch, { recursive: true, force: true });
}

/**
 * What a container has changed, out of one engine and into another: the folder of the overlay that is its own, with its marks of
 * deleted files and all attributes. Below it lies the same image on either node.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { PassThrough, type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault, notImplemented } from '../../../../kernel/fault.ts';
import type { MovedLayer } from '../../protocol.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect } from './engine-types.ts';
import { unknownServer, wrongState } from './faults.ts';
import { inspectContainer, needContainer } from './guests.ts';
import { engineCall } from './spawn.ts';

/** By paths of the controller. */
export interface MoveTransport {
  send(path: string, body: Readable): Promise<unknown>;
  fetch(path: string): Promise<Readable>;
}

const WHOLE = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner'];
const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
const MAX_COMPLAINT = 4096;

export async function sendLayer(ctx: DriverContext, serverId: string, path: string): Promise<MovedLayer> {
  const transport = transportOf(ctx);
  const found = await engineCall('look for the server', () => needContainer(ctx, serverId));
  const container = await engineCall('look at the server', () => inspectContainer(ctx, found.Id));
  if (container === undefined) throw unknownServer(serverId);
  if (container.State.Running) throw wrongState(serverId, 'move', container.State.Status);
  await ctx.disks.ready(serverId, container);
  const { meter, read } = createMeter();
  const tar = tarProcess(['--create', '--sparse', ...WHOLE, '--directory', upperOf(container), '--file=-', '.']);
  const body = new PassThrough();
  const packed = Promise.all([pipeline(tar.child.stdout!, meter, body, { end: false }), tar.ended]).then(
    () => void body.end(),
    // a body that breaks off is never whole for the controller
    (error: unknown) => {
      body.destroy(error as Error);
      throw error;
    },
  );
  packed.catch(() => {});
  try {
    await transport.send(path, body);
    await packed;
  } finally {
    tar.child.kill('SIGKILL');
  }
  return read();
}

/** Into a container that has never run. */
export async function receiveLayer(ctx: DriverContext, container: ContainerInspect, path: string): Promise<MovedLayer> {
  const source = await transportOf(ctx).fetch(path);
  const { meter, read } = createMeter();
  // tar does not care for what follows the end of the archive; whoever sends it does.
  const tar = tarProcess(['--extract', '--same-permissions', '--same-owner', ...WHOLE, '--directory', upperOf(container), '--file=-'], 'tar "$@" && cat > /dev/null');
  try {
    await Promise.all([pipeline(source, meter, tar.child.stdin as Writable), tar.ended]);
  } catch (error) {
    throw await tar.ended.then(() => error, (complaint: unknown) => complaint);
  } finally {
    tar.child.kill('SIGKILL');
    source.destroy();
  }
  return read();
}

function transportOf({ moves }: DriverContext): MoveTransport {
  if (moves === undefined) throw notImplemented('compute.move-unsupported', 'This node moves no servers.');
  return moves;
}

function upperOf({ Driver, GraphDriver }: ContainerInspect): string {
  const upper = GraphDriver?.Data?.['UpperDir'];
  if (Driver !== 'overlay2' || upper === undefined) {
    throw notImplemented('compute.move-unsupported', `Servers can be moved between engines with the storage driver overlay2, not ${Driver ?? 'an unknown one'}.`);
  }
  return upper;
}

/** Counts and hashes what passes. */
function createMeter(): { meter: Transform; read(): MovedLayer } {
  const hash = createHash('sha256');
  let bytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { meter, read: () => ({ bytes, sha256: hash.digest('hex') }) };
}

function tarProcess(args: string[], script = 'exec tar "$@"'): { child: ChildProcess; ended: Promise<void> } {
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...args], { env: ENV, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    if (complaint.length < MAX_COMPLAINT) complaint += chunk.toString('utf8');
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(tarFault(complaint))));
  });
  ended.catch(() => {});
  return { child, ended };
}

function tarFault(complaint: string): Fault {
  const cause = new Error(complaint.trim());
  // A write that was cut short is the disk's end, too: tar says so in other words.
  if (/no space left|disk quota|wrote only/i.test(complaint)) return new Fault(507, 'compute.disk-full', 'What the server has written does not fit on the disk that it shall have there.', { cause });
  return new Fault(500, 'compute.move-failed', 'What the server has written could not be brought to the other node.', { cause });
}

/** A qcow2 file as a raw one: by qemu-img, which is given two open files, no rights and no network. */
import { access, constants, open, type FileHandle } from 'node:fs/promises';
import { DiskError } from '../../../kernel/disk/disk-error.ts';
import { checkQcow2, isQcow2, QCOW2_HEAD_BYTES } from '../../../kernel/disk/qcow2.ts';
import { Fault } from '../../../kernel/fault.ts';
import { runConfined } from './confined.ts';

const NOBODY = 65_534;
const MEMORY_BYTES = 2 * 1024 ** 3;
const WITHOUT_RIGHTS = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--'];
const LIMITED = ['prlimit', `--as=${MEMORY_BYTES}`, '--core=0', '--'];
const INPUT = 'driver=qcow2,file.driver=file,file.locking=off,file.filename=/proc/self/fd/3';

const PROGRAM_DIRS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Before the disk is fetched. @throws Fault 501 */
export async function needTools(disk_format: string): Promise<void> {
  if (disk_format !== 'qcow2') return;
  const found = await Promise.all(PROGRAM_DIRS.map((dir) => access(`${dir}/qemu-img`, constants.X_OK).then(() => true, () => false)));
  if (!found.includes(true)) throw toolMissing('qemu-img', 'qemu-utils');
}

/** @throws DiskError for a disk that leads out of its file, or is larger than `limit`; Fault 501 without qemu-img. @returns bytes. */
export async function checkDisk(path: string, disk_format: string, limit: number): Promise<number> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(QCOW2_HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const known = isQcow2(head.subarray(0, bytesRead));
    if (disk_format !== 'qcow2' && known) throw new DiskError(`it is a qcow2 file, not ${disk_format}: give the image the disk_format "qcow2"`);
    const virtual = disk_format === 'qcow2' ? checkQcow2(head.subarray(0, bytesRead)) : size;
    if (virtual > limit) throw new DiskError(`its virtual size of ${virtual} bytes is larger than the ${limit} that are allowed`);
    return virtual;
  } finally {
    await file.close();
  }
}

/** @throws DiskError for what qemu-img cannot read, Fault 501 without it. */
export async function writeRaw(from: string, to: string, virtual: number, signal: AbortSignal): Promise<void> {
  const files: FileHandle[] = [];
  try {
    files.push(await open(from, 'r'), await open(to, 'wx+', 0o600));
    // It opens them anew, by /proc, hence as nobody.
    for (const file of files) await file.chown(NOBODY, NOBODY);
    const fds = files.map(({ fd }) => fd);
    await checkInfo(fds, virtual, signal);
    await files[1]!.truncate(virtual);
    await qemu(['convert', '-n', '--target-is-zero', '--image-opts', '--target-image-opts', '-S', '64k', INPUT, 'driver=raw,file.driver=file,file.locking=off,file.filename=/proc/self/fd/4'], fds, signal);
  } finally {
    for (const file of files) await file.close();
  }
}

interface ImageInfo {
  'virtual-size': number;
  'backing-filename'?: string;
  encrypted?: boolean;
  'format-specific'?: { data?: { 'data-file'?: string; corrupt?: boolean } };
}

/** A second opinion, of who is going to read it. */
async function checkInfo(fds: number[], virtual: number, signal: AbortSignal): Promise<void> {
  const info = JSON.parse(await qemu(['info', '--output=json', '--image-opts', INPUT], fds, signal)) as ImageInfo;
  const special = info['format-specific']?.data;
  if (info['backing-filename'] !== undefined || special?.['data-file'] !== undefined) throw new DiskError('it refers to another file');
  if (info.encrypted === true) throw new DiskError('it is encrypted');
  if (info['virtual-size'] !== virtual) throw new DiskError('its header and qemu-img differ about its size');
}

async function qemu(args: string[], fds: number[], signal: AbortSignal): Promise<string> {
  const run = runConfined([...LIMITED, ...WITHOUT_RIGHTS, 'qemu-img', ...args], { files: fds, signal });
  let output = '';
  for await (const chunk of run.stdout.setEncoding('utf8')) output = (output + (chunk as string)).slice(0, 1 << 20);
  const { code, stderr } = await run.ended;
  signal.throwIfAborted();
  if (code === 0) return output;
  if (code === 127) throw toolMissing('qemu-img', 'qemu-utils');
  if (/No space left on device/i.test(stderr)) throw diskFull();
  throw new DiskError(`qemu-img cannot read it (${reasonOf(stderr)})`);
}

export const diskFull = (): Fault => new Fault(507, 'compute.disk-full', "Could not convert the disk image: the node's disk is full.");

export function toolMissing(program: string, parcel: string): Fault {
  return new Fault(501, 'compute.disk-tools-missing', `The node cannot read this disk image: it has no ${program}; install the package ${parcel} on it.`);
}

function reasonOf(stderr: string): string {
  const line = stderr.split('\n').find((one) => one.trim() !== '') ?? 'no reason given';
  return line.replaceAll(/(driver=|\/proc\/)\S+/g, '…').replace(/^qemu-img: /, '').slice(0, 200);
}

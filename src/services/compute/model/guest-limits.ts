/** Folders in memory and ulimits of a guest, as its metadata ask for them. Pure. */
import type { Ulimit } from '../../../agents/compute/protocol.ts';
import { integer, refused } from './word-values.ts';

const FLAGS = new Set(['ro', 'rw', 'exec', 'noexec', 'suid', 'nosuid', 'dev', 'nodev']);
/** What is in there is the kernel's, the runtime's, or tells the runtime that a guest has an init of its own. */
const RESERVED = /^\/(|proc|sys|dev|run)$|^\/(proc|sys|dev)\//;

/** `/cache:size=64m,mode=1777 /tmp`: paths, each with its options; bounded by the memory of the server. @throws Fault 400 */
export function tmpfsMounts(value: string, key: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const one of value.split(/[\s;]+/).filter((text) => text !== '')) {
    const at = one.indexOf(':');
    const path = (at < 0 ? one : one.slice(0, at)).replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
    if (!path.startsWith('/') || path.split('/').some((part) => part === '..' || part === '.')) throw refused(key, 'must name absolute paths, such as "/cache:size=64m /tmp"');
    if (RESERVED.test(path)) throw refused(key, `cannot have ${path}: use a folder below it, or another`);
    out[path] = tmpfsOptions(at < 0 ? '' : one.slice(at + 1), key);
  }
  if (Object.keys(out).length === 0) throw refused(key, 'must name absolute paths, such as "/cache:size=64m /tmp"');
  return out;
}

/** Never with devices, nor with programs that give privileges. */
function tmpfsOptions(text: string, key: string): string {
  const options = text.split(',').filter((option) => option !== '');
  for (const option of options) {
    const plain = FLAGS.has(option) && option !== 'suid' && option !== 'dev';
    if (!plain && !/^(size=\d{1,12}[kmg%]?|mode=[0-7]{3,4}|uid=\d{1,9}|gid=\d{1,9}|nr_inodes=\d{1,9}k?)$/.test(option)) throw refused(key, `does not take the option "${option}"`);
  }
  return [...new Set(['nosuid', 'nodev', ...options])].join(',');
}

/** The most of each that a guest may ask for; others of the kernel's limits reach beyond it. */
const MOST: Readonly<Record<string, number>> = {
  core: 1024 ** 4, cpu: 10 ** 9, data: 1024 ** 5, fsize: 1024 ** 5, memlock: 64 * 1024 ** 2, nofile: 1_048_576, nproc: 1_048_576, stack: 1024 ** 4,
};

/** `1024` or `1024:4096`, soft and hard. @throws Fault 400 */
export function ulimitOf(name: string, value: string, key: string): Ulimit {
  const most = Object.hasOwn(MOST, name) ? MOST[name] : undefined;
  if (most === undefined) throw refused(key, `is no limit that servers take; there are ${Object.keys(MOST).join(', ')}`);
  const [soft = '', hard = soft, ...more] = value.split(':');
  if (more.length > 0) throw refused(key, 'must be one number, or two with a colon between');
  const limit = { name, soft: integer(soft, key, 0, most), hard: integer(hard, key, 0, most) };
  if (limit.soft > limit.hard) throw refused(key, 'has a soft limit above the hard one');
  return limit;
}

/** A partition's files as a tar stream: mounted where nobody else sees it, read by a tar that has no right but to read. */
import type { RootCandidate } from '../../../kernel/disk/root-candidates.ts';
import type { RootFileSystem } from '../../../kernel/disk/file-systems.ts';
import { runConfined, type Confined } from './confined.ts';

export const MOUNT_FAILED = 41;
export const NO_ROOT = 42;

/** Nothing is written, no journal is played back; what the file system itself says of errors (a panic, perhaps) does not count. */
const OPTIONS: Readonly<Record<RootFileSystem, string>> = {
  ext4: 'noload,errors=remount-ro',
  xfs: 'norecovery,nouuid',
  btrfs: 'rescue=nologreplay',
};

/** What belongs to a machine and not to a system, or must not be the same in two servers. */
const EXCLUDED = [
  'boot/*', 'lib/modules/*', 'usr/lib/modules/*', 'dev/*', 'proc/*', 'sys/*', 'run/*', 'tmp/*', 'lost+found',
  'etc/fstab', 'etc/machine-id', 'var/lib/dbus/machine-id', 'var/lib/systemd/random-seed', 'etc/ssh/ssh_host_*',
  'etc/resolv.conf', 'etc/hostname', 'swapfile', 'swap.img',
];

/** $1 type, $2 options, $3 disk, $4 where; of btrfs the usual names of a root's subvolume are looked at as well, but no links. */
const SCRIPT = `
mount -t "$1" -o "$2" -- "$3" "$4" || exit ${MOUNT_FAILED}
for dir in . @ root @rootfs; do
  [ "$dir" = . ] || [ "$1" = btrfs ] || break
  at="$4/$dir"; shift_to=
  [ -L "$at" ] || ! [ -d "$at/etc" ] || ! { [ -d "$at/usr" ] || [ -d "$at/bin" ]; } || { shift_to="$at"; break; }
done
[ -n "$shift_to" ] || exit ${NO_ROOT}
cd "$shift_to" || exit ${NO_ROOT}
shift 4
exec setpriv --no-new-privs --bounding-set=-all,+dac_read_search --inh-caps=-all -- tar "$@"
`;

const TAR = [
  '--create', '--file=-', '--format=posix', '--pax-option=delete=atime,delete=ctime,delete=mtime', '--sort=name', '--numeric-owner', '--one-file-system',
  '--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*', '--anchored', '--wildcards-match-slash',
  ...EXCLUDED.map((path) => `--exclude=./${path}`), '.',
];

export function archiveRoot(disk: string, at: RootCandidate, mount_point: string, signal: AbortSignal): Confined {
  const options = `ro,nodev,nosuid,noexec,${OPTIONS[at.type]},loop,offset=${at.start},sizelimit=${at.size}`;
  return runConfined(['sh', '-c', SCRIPT, 'sh', at.type, options, disk, mount_point, ...TAR], { signal });
}

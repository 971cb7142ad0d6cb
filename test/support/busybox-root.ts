/** A tiny system in a directory: busybox as init, an ssh server, a login user. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const APPLETS = ['sh', 'cat', 'ls', 'echo', 'hostname', 'mount', 'reboot', 'poweroff', 'sleep', 'ps', 'id', 'touch', 'stat', 'ip', 'grep', 'mkdir', 'chmod', 'kill', 'sync', 'true', 'env', 'test', 'mknod'];
const INITTAB = `::sysinit:/bin/echo the system is up
::respawn:/usr/sbin/dropbear -F -E -R
::ctrlaltdel:/bin/reboot
::shutdown:/bin/echo the system goes down
`;

/** @returns whether there is an ssh server in it (Debian's dropbear-bin). */
export function makeBusyboxRoot(root: string): boolean {
  const put = (path: string, content: string, mode = 0o644): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode });
  };
  for (const dir of ['bin', 'sbin', 'dev', 'proc', 'sys', 'run', 'tmp', 'boot', 'lib/modules/6.1', 'etc/dropbear', 'etc/ssh', 'root', 'home/alpha']) mkdirSync(join(root, dir), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'), { dereference: true });
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet));
  symlinkSync('/bin/busybox', join(root, 'sbin/init'));
  put('etc/inittab', INITTAB);
  put('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nalpha:x:1000:1000::/home/alpha:/bin/sh\n');
  put('etc/group', 'root:x:0:\nalpha:x:1000:\n');
  put('etc/shadow', 'root:*:19000:0:99999:7:::\nalpha:*:19000:0:99999:7:::\n', 0o600);
  put('etc/shells', '/bin/sh\n');
  put('etc/os-release', 'ID=tiny\nVERSION_ID="1"\n');
  put('etc/fstab', '/dev/vda1 / ext4 defaults 0 1\n');
  put('etc/network/interfaces', 'auto eth0\niface eth0 inet dhcp\n');
  put('etc/ssh/ssh_host_rsa_key', 'not to be shared');
  put('boot/vmlinuz', 'a kernel');
  put('lib/modules/6.1/a.ko', 'a module');
  if (!existsSync('/usr/sbin/dropbear')) return false;
  const listed = execFileSync('ldd', ['/usr/sbin/dropbear'], { encoding: 'utf8' });
  for (const path of ['/usr/sbin/dropbear', ...[...listed.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map((match) => match[1]!)]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(realpathSync(path), join(root, path));
  }
  return true;
}

import { readdirSync, readFileSync } from 'node:fs';
import { run } from './doctor/probes.ts';

/** Lets go of what the kernel holds of a folder that is to be removed: mounts below it, and loop devices over its files. */
export function releaseBelow(folder: string): void {
  for (const mount of mountsBelow(folder)) run('umount', ['--lazy', mount]);
  for (const device of loopsBelow(folder)) run('losetup', ['--detach', device]);
}

/** Deepest first. */
function mountsBelow(folder: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return points.filter((point) => point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

function loopsBelow(folder: string): string[] {
  return readdirSync('/sys/block').filter((name) => name.startsWith('loop')).flatMap((name) => {
    try {
      return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').startsWith(`${folder}/`) ? [`/dev/${name}`] : [];
    } catch {
      // a device without a file
      return [];
    }
  });
}

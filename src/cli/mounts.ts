import { readFileSync } from 'node:fs';
import { hostProbes, run } from './doctor/probes.ts';
import { loopsOf } from './leftovers.ts';

/** Lets go of what the kernel holds of a folder that is to be removed: mounts below it, and loop devices over its files. */
export function releaseBelow(folder: string): void {
  for (const mount of mountsBelow(folder)) run('umount', ['--lazy', mount]);
  for (const { device } of loopsOf(folder, hostProbes())) run('losetup', ['--detach', device]);
}

/** Deepest first. */
function mountsBelow(folder: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return points.filter((point) => point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

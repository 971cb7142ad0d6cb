/** What the agent of a cloud has on the host outside of its data directory, and where it stays when that is deleted. */
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Probes } from './doctor/probes.ts';

export const VIEWS = '/run/gantry/views';

type Look = Pick<Probes, 'list' | 'readText'>;

/** Folders of what guests see of their machine, those begun included; each says whose it is. */
export function viewsOf(cloud: string, look: Look, dir = VIEWS): string[] {
  return look.list(dir).map((name) => join(dir, name)).filter((folder) => cloudOf(look.readText(join(folder, 'view.json'))) === cloud);
}

function cloudOf(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as { cloud?: string }).cloud;
  } catch {
    return undefined;
  }
}

export interface LoopDevice {
  device: string;
  file: string;
}

/** Loop devices over files below a folder, such as the agent's with its config drives and disks: they outlive their files. */
export function loopsOf(folder: string, look: Look): LoopDevice[] {
  const below = `${resolved(folder)}/`;
  return look.list('/sys/block').filter((name) => /^loop\d+$/.test(name)).flatMap((name) => {
    const file = look.readText(`/sys/block/${name}/loop/backing_file`)?.trim().replace(/ \(deleted\)$/, '');
    return file?.startsWith(below) === true ? [{ device: `/dev/${name}`, file }] : [];
  });
}

/** As the kernel tells it, also when the end of the path is gone. */
function resolved(path: string): string {
  return existsSync(path) || dirname(path) === path ? realpathSync(path) : join(resolved(dirname(path)), basename(path));
}

/** @returns what was removed; a device that cannot be let go throws. */
export function removeLeftovers(cloud: string, state_dir: string, probes: Look & Pick<Probes, 'run'>, dir = VIEWS): string[] {
  const views = viewsOf(cloud, probes, dir);
  for (const folder of views) rmSync(folder, { recursive: true, force: true });
  const loops = loopsOf(state_dir, probes).map(({ device, file }) => {
    const done = probes.run('losetup', ['-d', device]);
    if (done.status !== 0) throw new Error(`${device} of ${file}: ${done.stderr.trim()}`);
    return `removed ${device} of ${file}`;
  });
  return [...(views.length > 0 ? [`removed what ${views.length} ${views.length === 1 ? 'guest saw of its' : 'guests saw of their'} machine`] : []), ...loops];
}

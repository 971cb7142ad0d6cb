/** Which machine a guest is told that it has. Pure. */
import type { GuestSpec } from '../../protocol.ts';
import type { GuestView } from './views.ts';

const GIB = 1024 ** 3;
/** Of virtio disks, as far as Linux gives it out. */
const VIRTIO = 253;

export function guestView({ limits }: Pick<GuestSpec, 'limits'>): GuestView {
  const root = { name: 'vda', major: VIRTIO, minor: 0, bytes: limits.disk_gb * GIB, read_only: false, removable: false };
  return {
    machine: { vcpus: limits.vcpus, memory_mb: limits.memory_mb, swap_mb: limits.swap_mb, disks: [root] },
    links: [],
  };
}

import type { KeyedLock } from '../../../../kernel/locks.ts';
import type { ComputeDriver, GuestSpec } from '../../protocol.ts';
import type { FakeGuests } from './guests.ts';

/** A guest's volumes are what its specification says of them. */
export function fakeVolumes(guests: FakeGuests, lock: KeyedLock, obey: (spec: GuestSpec, what: 'attach' | 'detach') => Promise<void>): Pick<ComputeDriver, 'attachVolume' | 'detachVolume' | 'volumeExtended'> {
  const others = (spec: GuestSpec, volume_id: string) => (spec.volumes ?? []).filter((volume) => volume.volume_id !== volume_id);
  return {
    attachVolume: (serverId, volume) =>
      lock.run(serverId, async () => {
        const guest = guests.need(serverId);
        await obey(guest.spec, 'attach');
        guest.spec = { ...guest.spec, volumes: [...others(guest.spec, volume.volume_id), volume] };
        return { device: volume.device, mounted: volume.mount_path !== null };
      }),
    detachVolume: (serverId, volume_id, force) =>
      lock.run(serverId, async () => {
        const guest = guests.all.get(serverId);
        if (guest === undefined || others(guest.spec, volume_id).length === (guest.spec.volumes ?? []).length) return;
        if (!force) await obey(guest.spec, 'detach');
        guest.spec = { ...guest.spec, volumes: others(guest.spec, volume_id) };
      }),
    volumeExtended: async (serverId) => void guests.need(serverId),
  };
}

import { createHash } from 'node:crypto';
import type { KeyedLock } from '../../../../kernel/locks.ts';
import type { ComputeDriver, GuestSpec, MovedLayer } from '../../protocol.ts';
import type { FakeGuests } from './guests.ts';

/** Servers that exist in memory only have nothing to bring along. */
export const NOTHING_WRITTEN: MovedLayer = { bytes: 0, sha256: createHash('sha256').digest('hex') };

export function fakeMoving(guests: FakeGuests, lock: KeyedLock, obey: (spec: GuestSpec, what: 'resize' | 'move') => Promise<void>): Pick<ComputeDriver, 'resize' | 'sendLayer'> {
  return {
    resize: (serverId, limits) =>
      lock.run(serverId, async () => {
        const guest = guests.need(serverId);
        await obey(guest.spec, 'resize');
        guest.spec = { ...guest.spec, limits };
        return { ...guest.report };
      }),
    sendLayer: (serverId) =>
      lock.run(serverId, async () => {
        await obey(guests.need(serverId).spec, 'move');
        return NOTHING_WRITTEN;
      }),
  };
}

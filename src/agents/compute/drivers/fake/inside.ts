/** What is done inside of a simulated guest is only written down. */
import { conflict } from '../../../../kernel/fault.ts';
import type { ComputeDriver, GuestSpec, PasswordHash } from '../../protocol.ts';
import type { FakeGuests } from './guests.ts';

export type Given = { server_id: string; signal: string } | { server_id: string; passwords: PasswordHash[] };

/** @param given is added to. */
export function fakeInside(guests: FakeGuests, given: Given[], obey: (spec: GuestSpec, what: 'power' | 'password') => Promise<void>): Pick<ComputeDriver, 'signal' | 'setPasswords'> {
  return {
    async signal(server_id, signal) {
      const { spec, report } = guests.need(server_id);
      if (!['running', 'paused'].includes(report.power_state)) throw conflict('compute.wrong-state', `Cannot signal server ${server_id} while it is ${report.power_state}.`);
      await obey(spec, 'power');
      given.push({ server_id, signal });
    },
    async setPasswords(server_id, passwords) {
      await obey(guests.need(server_id).spec, 'password');
      given.push({ server_id, passwords });
    },
  };
}

/** What is done inside of a simulated guest is only written down. */
import type { Clock } from '../../../../kernel/clock.ts';
import { conflict } from '../../../../kernel/fault.ts';
import type { ComputeDriver, GuestSpec, PasswordHash } from '../../protocol.ts';
import type { FakeGuests } from './guests.ts';
import type { FakeDriver } from './index.ts';

export type Given = { server_id: string; signal: string } | { server_id: string; passwords: PasswordHash[] };

const ON = { power_state: 'running', exit_code: null, oom_killed: false, finished_at: null, last_output: '' } as const;

/** @param given is added to. */
export function fakeInside(clock: Clock, guests: FakeGuests, given: Given[], obey: (spec: GuestSpec, what: 'power' | 'password' | 'rescue' | 'unrescue') => Promise<void>): Pick<ComputeDriver, 'signal' | 'setPasswords' | 'rescue' | 'unrescue'> {
  return {
    async rescue(spec) {
      const guest = guests.need(spec.server_id);
      if (guest.rescue?.incarnation === spec.incarnation && guest.rescue !== undefined) return { ...guest.report };
      await obey(guest.spec, 'rescue');
      guest.rescue = spec;
      return guests.change(guest, { ...ON, started_at: clock.now().toISOString() });
    },
    async unrescue(server_id, { start }) {
      const guest = guests.need(server_id);
      await obey(guest.spec, 'unrescue');
      delete guest.rescue;
      return guests.change(guest, start ? { ...ON, started_at: clock.now().toISOString() } : { power_state: 'shutdown', exit_code: 143, finished_at: clock.now().toISOString() });
    },
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

/** What tests hold a simulated node by. */
export function fakeHandles(clock: Clock, guests: FakeGuests): Pick<FakeDriver, 'exit' | 'restarted' | 'specOf' | 'rescueOf'> {
  return {
    exit: (serverId, code, oom) => guests.exit(serverId, code, oom),
    restarted: (serverId, count, exit_code) => void guests.change(guests.need(serverId), { restarts: { count, exit_code, oom_killed: false, ended_at: clock.now().toISOString() } }),
    specOf: (serverId) => guests.all.get(serverId)?.spec,
    rescueOf: (serverId) => guests.all.get(serverId)?.rescue,
  };
}

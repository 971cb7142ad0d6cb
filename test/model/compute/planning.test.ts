/** The pure rules of compute, by properties. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFault } from '../../../src/kernel/fault.ts';
import { shellWords } from '../../../src/services/compute/model/guest-command.ts';
import { serversThatFit, type Quotas } from '../../../src/services/compute/model/quota-sets.ts';
import { chooseHosts, type HostView, type ScheduleRequest, whyNowhere } from '../../../src/services/compute/model/scheduler.ts';
import { sanitizeHostname, serverNames } from '../../../src/services/compute/model/server-names.ts';
import { refusal, statesOf, statusOf } from '../../../src/services/compute/model/server-state.ts';
import { isPlain, matching } from '../../../src/services/compute/model/text-match.ts';

const hostArbitrary = fc.record({ zone: fc.constantFrom('a', 'b'), usable: fc.boolean(), building: fc.nat(5), free: fc.nat(1000) });
const worldArbitrary = fc.array(hostArbitrary, { maxLength: 8 }).map((hosts) => ({
  hosts: hosts.map(({ zone, usable, building }, at): HostView => ({ node_id: `n${at}`, host: `h${at}`, zone, usable, building })),
  candidates: hosts.map(({ free }, at) => ({ node_id: `n${at}`, free_ram_mb: free })),
}));
const anyHost: ScheduleRequest = { server_id: 's', zone: null, host: null, excluded: [], group: undefined, same_host: undefined, different_host: undefined };

test('the scheduler offers each fitting host once and no other', () => {
  fc.assert(
    fc.property(worldArbitrary, fc.option(fc.constantFrom('a', 'b')), fc.subarray(['n0', 'n1', 'n2']), ({ hosts, candidates }, zone, excluded) => {
      const chosen = chooseHosts(candidates, hosts, { ...anyHost, zone, excluded });
      const fitting = hosts.filter((host) => host.usable && (zone === null || host.zone === zone) && !excluded.includes(host.node_id));
      assert.deepEqual([...chosen].sort(), fitting.map(({ node_id }) => node_id).sort());
    }),
  );
});

test('of two hosts alike but for memory the freer comes first', () => {
  const hosts: HostView[] = ['n0', 'n1'].map((node_id) => ({ node_id, host: node_id, zone: 'a', usable: true, building: 0 }));
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), (one, two) => {
      fc.pre(one !== two);
      const chosen = chooseHosts([{ node_id: 'n0', free_ram_mb: one }, { node_id: 'n1', free_ram_mb: two }], hosts, anyHost);
      assert.equal(chosen[0], one > two ? 'n0' : 'n1');
    }),
  );
});

test('affinity keeps to the members\' hosts, anti-affinity to the others', () => {
  fc.assert(
    fc.property(worldArbitrary, fc.uniqueArray(fc.constantFrom('n0', 'n1', 'n2'), { minLength: 1 }), ({ hosts, candidates }, used) => {
      const members = new Map<string, number>(used.map((id) => [id, 1]));
      const with_ = (policy: string): string[] => chooseHosts(candidates, hosts, { ...anyHost, group: { policy, members, max_per_host: 1 } });
      assert.ok(with_('affinity').every((id) => members.has(id)));
      assert.ok(with_('anti-affinity').every((id) => !members.has(id)));
    }),
  );
});

test('where no host was found, each tells what it lacks', () => {
  const host = (at: number, more: Partial<HostView> = {}): HostView => ({ node_id: `n${at}`, host: `h${at}`, zone: 'a', usable: true, building: 0, ...more });
  const wanted = { VCPU: 2, MEMORY_MB: 512 };
  const most = { VCPU: 4, MEMORY_MB: 4096 };
  const rooms = new Map([
    ['n0', { free: { VCPU: 8, MEMORY_MB: 100 }, most }], ['n1', { free: { VCPU: -1, MEMORY_MB: 0 }, most }], ['n2', { free: { VCPU: 8, MEMORY_MB: 900 }, most: { VCPU: 1, MEMORY_MB: 900 } }],
    ['n5', { free: most, most }],
  ]);
  const hosts = [host(0), host(1), host(2), host(3, { usable: false }), host(4), host(5), host(6, { zone: 'b' })];
  assert.equal(whyNowhere(hosts, { ...anyHost, zone: 'a' }, wanted, rooms), [
    'h0: not enough MEMORY_MB (512 wanted, 100 free)',
    'h1: not enough VCPU (2 wanted, 0 free), not enough MEMORY_MB (512 wanted, 0 free)',
    'h2: too much VCPU for one server (2 wanted, 1 at most)',
    'h3: down or disabled',
    'h4: has not told what it has',
    'h5: had room, but others were faster',
    'h6: not in availability zone a',
  ].join('; '));
  assert.equal(whyNowhere([], anyHost, wanted, rooms), 'There is no compute node.');
  assert.match(whyNowhere(Array.from({ length: 25 }, (_, at) => host(at)), anyHost, wanted, new Map()), /; and 5 more$/);
});

test('what quota grants never exceeds it, and what it refuses would', () => {
  const limit = fc.integer({ min: -1, max: 20 });
  fc.assert(
    fc.property(limit, limit, fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }), fc.nat(5), (instances, cores, usedI, usedC, vcpus, min, more) => {
      const quotas = { instances, cores, ram: -1 } as Quotas;
      const fits = (count: number): boolean => (instances < 0 || usedI + count <= instances) && (cores < 0 || usedC + count * vcpus <= cores);
      const got = serversThatFit(quotas, { instances: usedI, cores: usedC, ram: 0 }, { vcpus, ram_mb: 1 }, min, min + more);
      if (isFault(got)) {
        assert.equal(got.status, 403);
        assert.ok(!fits(min));
        assert.match(got.message, /^Quota exceeded for (instances|cores)/);
      } else {
        assert.ok(got >= min && got <= min + more && fits(got));
        assert.ok(got === min + more || !fits(got + 1), 'as many as fit');
      }
    }),
  );
});

test('quoted words come back as they were', () => {
  const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  fc.assert(fc.property(fc.array(fc.string()), (words) => assert.deepEqual(shellWords(words.map(quote).join(' ')), words)));
  assert.deepEqual(shellWords('sh -c "echo \\"hi\\" $HOME" a\\ b'), ['sh', '-c', 'echo "hi" $HOME', 'a b']);
  assert.throws(() => shellWords('"open'), /quote/);
});

test('every name gives a hostname that is one', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 255, unit: 'grapheme' }), fc.nat(3), (name, index) => {
      assert.match(sanitizeHostname(name), /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/);
      const { hostname } = serverNames({ name, hostname: undefined }, '00000000-0000-4000-8000-000000000000', index, 4);
      assert.match(hostname, /^[a-z0-9][a-z0-9-]{0,62}$/);
    }),
  );
});

test('every status that a state has leads back to that state', () => {
  for (const vm_state of ['active', 'building', 'stopped', 'paused', 'error', 'deleted']) {
    for (const task_state of [null, 'spawning', 'deleting', 'powering-off', 'rebooting', 'rebooting_hard']) {
      const { vm_states, task_states } = statesOf([statusOf(vm_state, task_state)]);
      assert.ok(vm_states.includes(vm_state), `${vm_state} ${task_state}`);
      assert.ok(task_states === undefined || (task_state !== null && task_states.includes(task_state)));
    }
  }
  assert.deepEqual(statesOf(['NONSENSE']).vm_states, []);
});

test('no lock refuses an administrator, and a lock refuses everybody else', () => {
  const server = { id: 's', vm_state: 'active', task_state: null, launched_at: 'x', locked_by: 'owner' };
  assert.equal(refusal('stop', server, true), undefined);
  assert.equal(refusal('stop', server, false)?.message, 'Instance s is locked');
  assert.equal(refusal('stop', { ...server, locked_by: null, task_state: 'rebooting' }, false)?.message, "Cannot 'stop' instance s while it is in task_state rebooting");
});

test('a pattern that would run for ever is cut off', () => {
  assert.ok(isPlain('web-1') && !isPlain('web.*'));
  assert.deepEqual(matching('^a.c$', ['abc', 'abd', null]), [true, false, false]);
  assert.throws(() => matching('^(a+)+$', [`${'a'.repeat(60)}!`]), (error) => isFault(error) && error.status === 400);
});

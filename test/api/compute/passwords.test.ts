import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { sha512Crypt } from '../../../src/services/compute/model/crypt-password.ts';
import { settingsOf } from '../../../src/services/compute/model/guest-settings.ts';
import { findBoot } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

const act = (id: string, body: object, token = 'member') => world.call('POST', `/servers/${id}/action`, { body, token });
const given = (id: string): any => world.nodes.drivers[0]!.given.filter((one) => one.server_id === id).at(-1);
/** Whether this is the hash of that password. */
const fits = (hash: string, password: string): boolean => {
  const [, , ...rest] = hash.split('$');
  const rounds = rest[0]!.startsWith('rounds=') ? Number(rest.shift()!.slice(7)) : undefined;
  return sha512Crypt(password, rest[0]!, rounds) === hash;
};

test('hashes are those that the C library makes', () => {
  for (const [password, salt, rounds] of [['Hello world!', 'saltstring', 5000], ['x', 'a', 1000], ['über lang '.repeat(20), '0123456789abcdef', 1000], ['', 'salt', 1001]] as const) {
    const setting = `$6$${rounds === 5000 ? '' : `rounds=${rounds}$`}${salt}`;
    const wanted = execFileSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, setting]).toString();
    assert.equal(sha512Crypt(password, salt, rounds), wanted);
  }
});

test('a new server gets the password that its maker is told, and neither rows nor nodes know more than its hash', async () => {
  const body = { server: { name: 'one', imageRef: world.image.id, flavorRef: '1', networks: 'none', adminPass: 'open sesame' } };
  const made = (await world.call('POST', '/servers', { body })).json.server;
  assert.equal(made.adminPass, 'open sesame');
  await world.settled(made.id);
  const [only] = world.nodes.drivers[0]!.specOf(made.id)!.passwords!;
  assert.equal(only!.user, 'root');
  assert.ok(fits(only!.hash, 'open sesame'));
  const boot = (await findBoot(world.db.read as never, made.id))!;
  assert.deepEqual(settingsOf(boot).passwords, [only]);
  assert.ok(!JSON.stringify(boot).includes('sesame'));
});

test('a password that was drawn is the one of the reply', async () => {
  const body = { server: { name: 'one', imageRef: world.image.id, flavorRef: '1', networks: 'none' } };
  const made = (await world.call('POST', '/servers', { body })).json.server;
  await world.settled(made.id);
  assert.ok(fits(world.nodes.drivers[0]!.specOf(made.id)!.passwords![0]!.hash, made.adminPass));
});

test('changePassword is for root and for whom the image names; its failure is told', async () => {
  const image = world.images.add({ properties: { os_admin_user: 'bob' } });
  const id = await world.boot({ imageRef: image.id });
  const done = await act(id, { changePassword: { adminPass: 'new' } });
  assert.equal(done.status, 202, done.text);
  assert.deepEqual(given(id).passwords.map(({ user }: any) => user), ['root', 'bob']);
  assert.ok(fits(given(id).passwords[1].hash, 'new'));
  const failing = await world.boot({ metadata: { 'fail:password': 'it has no /etc/passwd' } });
  const refused = await act(failing, { changePassword: { adminPass: 'new' } });
  assert.equal(refused.status, 409);
  assert.equal(refused.json.conflictingRequest.message, `Failed to set admin password on ${failing} because it has no /etc/passwd`);
  const shown = await world.show(failing);
  assert.deepEqual([shown.status, shown['OS-EXT-STS:task_state']], ['ACTIVE', null]);
  assert.equal((await act(id, { changePassword: {} })).status, 400);
  assert.equal((await act(id, { changePassword: { adminPass: 'x', user: 'y' } })).status, 400);
});

test('without enable_instance_password nobody is given a password unasked', async () => {
  const other = await serveCompute({ nodes: 1, config: { enable_instance_password: false } });
  const body = { server: { name: 'one', imageRef: other.image.id, flavorRef: '1', networks: 'none', adminPass: 'x' } };
  const made = (await other.call('POST', '/servers', { body })).json.server;
  assert.ok(!('adminPass' in made));
  await other.settled(made.id);
  assert.equal(other.nodes.drivers[0]!.specOf(made.id)!.passwords, undefined);
  await other.close();
});

test('the password that a guest has encrypted is read and forgotten', async () => {
  const id = await world.boot();
  const path = `/servers/${id}/os-server-password`;
  assert.deepEqual((await world.call('GET', path)).json, { password: '' });
  await world.db.transaction((tx) => asTransaction<ComputeTables>(tx).insertInto('compute_server_passwords').values({ server_id: id, password: 'c2VjcmV0' }).execute());
  assert.deepEqual((await world.call('GET', path)).json, { password: 'c2VjcmV0' });
  assert.equal((await world.call('DELETE', path, { token: 'reader' })).status, 403);
  assert.equal((await world.call('DELETE', path)).status, 204);
  assert.deepEqual((await world.call('GET', path)).json, { password: '' });
});

test('a crash dump is a signal, to be had since 2.17, and an action with its event', async () => {
  const id = await world.boot();
  assert.equal((await world.call('POST', `/servers/${id}/action`, { body: { trigger_crash_dump: null }, version: '2.16' })).status, 404);
  assert.equal((await act(id, { trigger_crash_dump: null })).status, 202);
  assert.deepEqual(given(id), { server_id: id, signal: 'SIGQUIT' });
  const [{ request_id, action }] = (await world.call('GET', `/servers/${id}/os-instance-actions`)).json.instanceActions;
  assert.equal(action, 'trigger_crash_dump');
  const shown = (await world.call('GET', `/servers/${id}/os-instance-actions/${request_id}`, { token: ADMIN_TOKEN })).json.instanceAction;
  assert.deepEqual([shown.events[0].event, shown.events[0].result], ['compute_trigger_crash_dump', 'Success']);
});

/** `gantry console` and `gantry exec` against a whole controller and a node with a fake driver. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { login, type Session } from '../../src/cli/api.ts';
import { findServer, runConsole } from '../../src/cli/console.ts';
import { ADMIN_PASSWORD } from '../support/cloud.ts';
import { type FakeNodeCloud, startFakeNodeCloud } from '../support/fake-node.ts';

let world: FakeNodeCloud;
let session: Session;
let id: string;
before(async () => {
  world = await startFakeNodeCloud();
  session = await login({ auth_url: `${world.cloud.url}/identity/v3`, username: 'admin', password: ADMIN_PASSWORD, project: 'admin', region: 'RegionOne' });
  id = (await world.boot('web.1')).id;
});
after(() => world.stop());

function streams(): { input: PassThrough; output: PassThrough; errors: PassThrough; text(of: PassThrough): string } {
  return { input: new PassThrough(), output: new PassThrough(), errors: new PassThrough(), text: (of) => String(of.read() ?? '') };
}

test('a program\'s output, complaints and status arrive where they belong', async () => {
  const io = streams();
  assert.equal(await runConsole(session, 'web.1', { mode: 'exec', command: ['hello', 'there'], tty: false }, io), 0);
  assert.equal(io.text(io.output), 'hello there\r\n');
  assert.equal(await runConsole(session, id, { mode: 'exec', command: ['exit', '4'], tty: false }, io), 4);
  assert.equal(await runConsole(session, id, { mode: 'exec', command: ['complain'], tty: false }, io), 0);
  assert.equal(io.text(io.errors), 'no\n');
});

test('a shell reads the input until it ends', async () => {
  const io = streams();
  io.input.end('one\nsize\nexit 6\n');
  assert.equal(await runConsole(session, 'web.1', { mode: 'exec', tty: true }, io), 6);
  assert.match(io.text(io.output), /one\r\n.*80x24/s);
});

test('a server is found by id or by its whole name', async () => {
  assert.equal(await findServer(session, id), id);
  await assert.rejects(findServer(session, 'web'), /no server web/);
  await assert.rejects(findServer(session, 'webx1'), /no server webx1/);
  await world.boot('web.1');
  await assert.rejects(findServer(session, 'web.1'), /2 servers are called web.1/);
});

test('what cannot be opened says why, with a status of its own', async () => {
  const off = await world.boot('off');
  await world.must('POST', `/compute/v2.1/servers/${off.id}/action`, { 'os-stop': null });
  while ((await world.must('GET', `/compute/v2.1/servers/${off.id}`)).server.status !== 'SHUTOFF');
  const io = streams();
  assert.equal(await runConsole(session, 'off', { mode: 'exec', tty: true }, io), 125);
  assert.match(io.text(io.errors), /does not run/);
});

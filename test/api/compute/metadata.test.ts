/** What a server is told of itself, as its node asks for it, and what it leaves for its owner. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { computeMethods, type MetadataReply } from '../../../src/agents/compute/protocol.ts';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
let id: string;
before(async () => {
  world = await serveCompute();
  id = await world.boot({ metadata: { a: '1' }, user_data: Buffer.from('#!/bin/sh').toString('base64'), config_drive: true });
});
after(() => world.close());

async function ask(path: string, more: object = {}, node = nodeOf(id)): Promise<{ status: number; type: string; text: string }> {
  const reply = await world.nodes.ask<MetadataReply>(node, computeMethods.metadata, { server_id: id, method: 'GET', path, ...more });
  return { ...reply, text: Buffer.from(reply.body, 'base64').toString() };
}

const nodeOf = (server: string): number => world.nodes.drivers.findIndex((driver) => driver.specOf(server) !== undefined);

test('a server reads its own metadata, and no other node reads them', async () => {
  const { status, type, text } = await ask('/openstack/latest/meta_data.json');
  assert.deepEqual([status, type], [200, 'application/json']);
  const found = JSON.parse(text);
  assert.equal(found.uuid, id);
  assert.deepEqual(found.meta, { a: '1' });
  assert.equal((await ask('/openstack/latest/user_data')).text, '#!/bin/sh');
  assert.equal((await ask('/nothing')).status, 404);
  assert.equal((await ask('/latest/meta-data', { method: 'DELETE' })).status, 405);
  const others = world.nodes.drivers.map((_, index) => index).filter((index) => index !== nodeOf(id));
  for (const node of others) assert.equal((await ask('/latest/meta-data', {}, node)).status, 404);
});

test('a password is left once, read by its owner, cleared and left again', async () => {
  const path = '/openstack/2013-10-17/password';
  const leave = (text: string): ReturnType<typeof ask> => ask(path, { method: 'POST', body: Buffer.from(text).toString('base64') });
  assert.deepEqual((await world.call('GET', `/servers/${id}/os-server-password`)).json, { password: '' });
  assert.equal((await ask(path)).text, '');
  assert.equal((await leave('x'.repeat(1021))).status, 400);
  assert.equal((await leave('secret')).status, 200);
  assert.equal((await leave('other')).status, 409);
  assert.equal((await ask(path)).text, 'secret');
  assert.equal((await ask(path, { method: 'PUT' })).status, 400);
  assert.deepEqual((await world.call('GET', `/servers/${id}/os-server-password`)).json, { password: 'secret' });
  assert.equal((await world.call('DELETE', `/servers/${id}/os-server-password`)).status, 204);
  assert.equal((await leave('other')).status, 200);
});

test('a config drive is shown and goes to the node with the same documents', async () => {
  assert.equal((await world.show(id)).config_drive, 'True');
  const drive = world.nodes.drivers[nodeOf(id)]!.specOf(id)!.config_drive!;
  const file = drive.files.find(({ paths }) => paths.includes('openstack/latest/meta_data.json'))!;
  assert.equal(JSON.parse(Buffer.from(file.content, 'base64').toString()).uuid, id);
  const plain = await world.boot({});
  assert.equal((await world.show(plain)).config_drive, '');
  assert.equal(world.nodes.drivers[nodeOf(plain)]!.specOf(plain)!.config_drive, undefined);
});

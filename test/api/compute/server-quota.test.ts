import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ config: { quota_instances: 3, quota_cores: 4, quota_ram: 512 } });
});
after(() => world.close());

const create = (over: Record<string, unknown> = {}) =>
  world.call('POST', '/servers', { body: { server: { name: 'q', imageRef: world.image.id, flavorRef: '1', networks: 'none', ...over } } });

test('a full quota refuses in nova\'s words, also under a rush, and is free again after a deletion', async () => {
  const replies = await Promise.all(Array.from({ length: 8 }, () => create()));
  assert.deepEqual(replies.map(({ status }) => status).sort(), [202, 202, 202, 403, 403, 403, 403, 403]);
  const refused = replies.find(({ status }) => status === 403)!;
  assert.equal(refused.json.forbidden.message, 'Quota exceeded for instances: Requested 1, but already used 3 of 3 instances');
  const ids = replies.filter(({ status }) => status === 202).map(({ json }) => json.server.id as string);
  await Promise.all(ids.map((id) => world.settled(id)));
  for (const id of ids) await world.call('DELETE', `/servers/${id}`);
  await Promise.all(ids.map((id) => world.settled(id)));

  const several = await create({ flavorRef: '2', min_count: 3, max_count: 3 });
  assert.equal(several.json.forbidden.message, 'Quota exceeded for cores, ram: Requested 6, 768, but already used 0, 0 of 4, 512 cores, ram');
  const fewer = await create({ flavorRef: '2', min_count: 1, max_count: 3 });
  assert.equal(fewer.status, 202, fewer.text);
  assert.equal((await world.call('GET', '/servers')).json.servers.length, 2, 'as many as fit');
});

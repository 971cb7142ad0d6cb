/** The checksums of pushed images, which are found after the push. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { as } from '../../../src/kernel/db/database.ts';
import type { ImageTables } from '../../../src/services/image/store/tables.ts';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { pushImage, registryClient } from '../../support/registry-client.ts';

const hashed = async (cloud: TestCloud, token: string): Promise<any[]> =>
  (await cloud.call('GET', '/image/v2/images?sort=id:asc', { token })).json.images.filter((image: { os_hash_value: string | null }) => image.os_hash_value !== null);

test('an image whose bytes are lost does not keep others from being hashed', async (t) => {
  let cloud = await startTestCloud();
  t.after(() => cloud.stop());
  const mine = await cloud.tenant('mine');
  const registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
  for (const name of ['one', 'two']) await pushImage(registry, `mine/${name}`, 'v1', { [name]: name });
  while ((await hashed(cloud, mine.token)).length < 2) await delay(10);
  const [first, second] = await hashed(cloud, mine.token);
  const name = (first['docker:ref'] as string).replace(/:.*/, '');
  const manifest = (await registry.call('GET', `/v2/${name}/manifests/v1`)).json as { layers: { digest: string }[] };
  const layer = manifest.layers[0]!.digest.replace('sha256:', '');
  await as<ImageTables>(cloud.db).transaction((tx) => tx.updateTable('image_images').set({ digest: null, checksum: null, os_hash_value: null }).where('id', 'in', [first.id, second.id]).execute());
  rmSync(join(cloud.directory, 'controller', 'blobs', 'sha256', layer.slice(0, 2), layer));
  await cloud.stop();
  cloud = await cloud.restart();
  while ((await hashed(cloud, mine.token)).length === 0) await delay(10);
  assert.deepEqual((await hashed(cloud, mine.token)).map(({ id, os_hash_value }) => [id, os_hash_value]), [[second.id, second.os_hash_value]]);
});

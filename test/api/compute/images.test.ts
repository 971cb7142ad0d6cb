import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { callAt, oldApiWorld, type Tenant } from './old-api.ts';

const world = oldApiWorld();

/** At 2.35, the last version with images. */
function call(method: string, path: string, tenant: Tenant = world.mine, version = '2.35'): Promise<TestResponse> {
  return callAt(world, method, `/images${path}`, { tenant, version });
}

async function make(fields: Record<string, unknown>, data?: string, tenant: Tenant = world.mine): Promise<any> {
  const made = await world.cloud.call('POST', '/image/v2/images', { token: tenant.token, body: { container_format: 'bare', disk_format: 'raw', ...fields } });
  assert.equal(made.status, 201, made.text);
  if (data !== undefined) {
    const headers = { 'content-type': 'application/octet-stream' };
    const sent = await world.cloud.call('PUT', `/image/v2/images/${made.json.id}/file`, { token: tenant.token, headers, body: Buffer.from(data) });
    assert.equal(sent.status, 204, sent.text);
  }
  return made.json;
}

const names = async (query: string, tenant: Tenant = world.mine): Promise<string[]> => {
  const answer = await call('GET', `?${query}`, tenant);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.images.map((image: { name: string }) => image.name);
};

test('an image is shown with what nova knows of it', async () => {
  const server_id = '7f6ccd2f-9f3a-4d52-8b1b-1f2c3d4e5f60';
  const mappings = '[{"virtual":"ami"}]';
  const made = await make({ name: 'shown', min_ram: 64, min_disk: 2, os_distro: 'debian', mappings, block_device_mapping: 'no json', auto_disk_config: 'True', instance_uuid: server_id }, 'twelve bytes');
  const shown = await call('GET', `/${made.id}`);
  assert.equal(shown.status, 200, shown.text);
  const { links, created, updated, server, ...rest } = shown.json.image;
  assert.deepEqual(rest, {
    id: made.id, name: 'shown', status: 'ACTIVE', progress: 100, minRam: 64, minDisk: 2, 'OS-EXT-IMG-SIZE:size': 12, 'OS-DCF:diskConfig': 'AUTO',
    metadata: { os_distro: 'debian', mappings: [{ virtual: 'ami' }], block_device_mapping: 'no json', auto_disk_config: 'True', instance_uuid: server_id },
  });
  assert.match(created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(updated, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(links, [
    { rel: 'self', href: `${world.cloud.url}/compute/v2.1/images/${made.id}` },
    { rel: 'bookmark', href: `${world.cloud.url}/compute/images/${made.id}` },
    { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${world.cloud.url}/image/v2/images/${made.id}` },
  ]);
  assert.deepEqual(server, { id: server_id, links: [{ rel: 'self', href: `${world.cloud.url}/compute/v2.1/servers/${server_id}` }, { rel: 'bookmark', href: `${world.cloud.url}/compute/servers/${server_id}` }] });
  const there = await world.cloud.call('GET', new URL(links[2]!.href).pathname, { token: world.mine.token });
  assert.equal(there.json.id, made.id, 'the alternate link leads to the image');
});

test('the status of an image is said in the words of nova', async () => {
  const queued = await make({ name: 'queued' });
  const before = (await call('GET', `/${queued.id}`)).json.image;
  assert.deepEqual([before.status, before.progress, before['OS-EXT-IMG-SIZE:size']], ['SAVING', 25, 0]);
  const active = await make({ name: 'put away' }, 'x');
  assert.equal((await world.cloud.call('POST', `/image/v2/images/${active.id}/actions/deactivate`, { token: world.mine.token })).status, 204);
  const away = (await call('GET', `/${active.id}`)).json.image;
  assert.deepEqual([away.status, away.progress], ['UNKNOWN', 0]);
});

test('lists show what the caller sees, filtered', async () => {
  await make({ name: 'secret', owner: world.other.project_id }, undefined, world.other);
  const snapshot = await make({ name: 'snapshot', series: 'f', image_type: 'snapshot', instance_uuid: 'server-one', min_ram: 512, min_disk: 3 }, 'data');
  await make({ name: 'waiting', series: 'f' });
  assert.deepEqual(await names('property-series=f'), ['waiting', 'snapshot'], 'newest first');
  assert.deepEqual(await names('property-series=f&status=ACTIVE'), ['snapshot']);
  assert.deepEqual(await names('property-series=f&status=saving'), []);
  assert.deepEqual(await names('name=waiting'), ['waiting']);
  assert.deepEqual(await names('type=snapshot'), ['snapshot']);
  assert.deepEqual(await names('server=server-one'), ['snapshot']);
  assert.deepEqual(await names(`server=${encodeURIComponent(`${world.cloud.url}/compute/v2.1/servers/server-one`)}`), ['snapshot']);
  assert.deepEqual(await names('minRam=512'), ['snapshot']);
  assert.deepEqual(await names('minDisk=3&property-series=f'), ['snapshot']);
  assert.deepEqual(await names('minDisk=4'), []);
  assert.deepEqual(await names(`property-series=f&changes-since=${snapshot.created_at}`), ['waiting', 'snapshot']);
  assert.deepEqual(await names('property-series=f&changes-since=2999-01-01T00:00:00Z'), []);
  assert.deepEqual(await names('name=secret'), [], "another project's");
  assert.deepEqual(await names('name=secret', world.other), ['secret']);
  assert.deepEqual((await world.cloud.call('GET', '/compute/v2.1/images?name=secret')).json.images.length, 1, 'administrators see all');
  const brief = (await call('GET', '?name=snapshot')).json.images[0];
  assert.deepEqual(Object.keys(brief).sort(), ['id', 'links', 'name']);
  const detail = (await call('GET', '/detail?name=snapshot')).json.images[0];
  assert.deepEqual(detail, (await call('GET', `/${snapshot.id}`)).json.image);
});

test('lists come in pages', async () => {
  for (const name of ['p1', 'p2', 'p3']) await make({ name, series: 'pages' });
  for (const path of ['', '/detail']) {
    const first = (await call('GET', `${path}?property-series=pages&limit=2`)).json;
    assert.deepEqual(first.images.map((image: any) => image.name), ['p3', 'p2']);
    assert.equal(first.images_links.length, 1);
    const next = new URL(first.images_links[0].href);
    assert.equal(next.pathname, `/compute/v2.1/images${path}`);
    const second = (await call('GET', `${path}${next.search}`)).json;
    assert.deepEqual(second.images.map((image: any) => image.name), ['p1']);
    assert.equal(second.images_links, undefined);
  }
  assert.equal((await names('property-series=pages&limit=0')).length, 3, 'no limit');
});

test('queries that make no sense are refused', async () => {
  for (const query of ['limit=-1', 'limit=many', 'page_size=x', 'offset=-3', 'minRam=lots', 'changes-since=yesterday', 'marker=00000000-0000-0000-0000-000000000000']) {
    for (const path of ['', '/detail']) {
      const answer = await call('GET', `${path}?${query}`);
      assert.equal(answer.status, 400, query);
      assert.equal(answer.json.badRequest.code, 400, query);
    }
  }
});

test('an image is deleted by those who may', async () => {
  const made = await make({ name: 'short-lived', visibility: 'shared' });
  const refuse = async (tenant: Tenant, status: number, message: string): Promise<void> => {
    const answer = await call('DELETE', `/${made.id}`, tenant);
    assert.equal(answer.status, status, answer.text);
    assert.equal(Object.values<{ message: string }>(answer.json)[0]!.message, message);
  };
  await refuse(world.other, 404, 'Image not found.');
  assert.equal((await world.cloud.call('POST', `/image/v2/images/${made.id}/members`, { token: world.mine.token, body: { member: world.other.project_id } })).status, 200);
  await refuse(world.other, 403, 'You are not allowed to delete the image.');
  const guard = async (value: boolean): Promise<void> => {
    const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
    assert.equal((await world.cloud.call('PATCH', `/image/v2/images/${made.id}`, { token: world.mine.token, headers, body: [{ op: 'replace', path: '/protected', value }] })).status, 200);
  };
  await guard(true);
  await refuse(world.mine, 403, 'You are not allowed to delete the image.');
  await guard(false);
  const gone = await call('DELETE', `/${made.id}`);
  assert.equal(gone.status, 204);
  assert.equal(gone.text, '');
  assert.equal((await world.cloud.call('GET', `/image/v2/images/${made.id}`, { token: world.mine.token })).status, 404);
  for (const id of [made.id, 'no-uuid', '-1', `${made.id}1`]) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await call(method, `/${id}`);
      assert.equal(answer.status, 404, `${method} ${id}`);
      assert.deepEqual(answer.json, { itemNotFound: { code: 404, message: 'Image not found.' } });
    }
  }
});

test('readers see the images of their project and delete none', async () => {
  const made = await world.cloud.call('POST', '/image/v2/images', { body: { name: 'for readers', owner: world.reader.project_id } });
  assert.equal(made.status, 201, made.text);
  assert.equal((await call('GET', `/${made.json.id}`, world.reader)).status, 200);
  assert.deepEqual(await names('name=for+readers', world.reader), ['for readers']);
  assert.equal((await call('DELETE', `/${made.json.id}`, world.reader)).status, 403);
  assert.equal((await call('GET', `/${made.json.id}`, world.reader)).status, 200);
});

test('from 2.36 on there are no images here', async () => {
  const made = await make({ name: 'elsewhere' });
  for (const [method, path] of [['GET', ''], ['GET', '/detail'], ['GET', `/${made.id}`], ['DELETE', `/${made.id}`]] as const) {
    for (const version of ['2.36', 'latest']) assert.equal((await call(method, path, world.mine, version)).status, 404, `${method} ${path} ${version}`);
  }
  assert.equal((await call('GET', `/${made.id}`, world.mine, '2.1')).status, 200);
});

/** What an operator may change: rules by a file, and by which name the cloud is reached. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestCloud } from '../support/cloud.ts';
import { request } from '../support/surface.ts';

test('a policy file replaces rules; one that names none of ours is refused', async () => {
  const cloud = await startTestCloud({ policy: '"get_images": "!"\n' });
  try {
    assert.equal((await cloud.call('GET', '/image/v2/images')).status, 403);
    assert.equal((await cloud.call('GET', '/networking/v2.0/networks')).status, 200);
  } finally {
    await cloud.stop();
  }
  await assert.rejects(startTestCloud({ policy: '"no_such_rule": "@"\n' }), /policy.yaml:1.*no_such_rule/s);
});

test('the catalogue shows the host that the caller asked', async () => {
  const cloud = await startTestCloud();
  try {
    const url = new URL(cloud.url);
    const asked = `http://localhost:${url.port}`;
    const token = await cloud.token();
    const { catalog } = (await request(asked, token, 'GET', '/identity/v3/auth/catalog')).json;
    const urls = catalog.flatMap((service: { endpoints: { url: string }[] }) => service.endpoints.map((endpoint) => endpoint.url));
    assert.ok(urls.length >= 15);
    for (const one of urls) assert.ok(one.startsWith(`${asked}/`), one);
  } finally {
    await cloud.stop();
  }
});

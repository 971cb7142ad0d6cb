/** A short run of `conformance/fuzz.ts`, the same each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFuzz } from '../../conformance/fuzz.ts';
import { startTestCloud } from '../support/cloud.ts';

test('bad requests are refused in order, and change nothing', async () => {
  const cloud = await startTestCloud();
  try {
    const { problems, refused, statuses } = await runFuzz(cloud, { requests: 1500, seed: 7, services: ['identity', 'image', 'compute', 'placement'] });
    assert.deepEqual(problems, []);
    assert.equal(refused, 1500);
    assert.ok((statuses[400] ?? 0) > 300, `too few reach the schemas: ${JSON.stringify(statuses)}`);
  } finally {
    await cloud.stop();
  }
});

/** Killed at any moment of a boot or a deletion, the cloud comes back whole. The long run is `node conformance/chaos.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHAOS_TOML, runChaos } from '../../../conformance/chaos.ts';
import { startRealCloud } from '../../support/real-cloud.ts';

test('after 20 random kills every server is ACTIVE, ERROR or gone, and nothing is left over', async (t) => {
  const cloud = await startRealCloud({ name: 'gtcc', toml: CHAOS_TOML });
  t.after(() => cloud.stop());
  const result = await runChaos(cloud, { kills: 20, seed: 20, workers: 3, max_ms: 120_000, say: (line) => t.diagnostic(line) });
  t.diagnostic(JSON.stringify({ ...result, problems: result.problems.length }));
  assert.deepEqual(result.problems, []);
  assert.ok(result.kills.controller > 0 && result.kills.agent > 0, 'both were killed');
  assert.ok(result.asked.boots > 10 && result.asked.deletes > 5, 'servers were booted and deleted meanwhile');
});

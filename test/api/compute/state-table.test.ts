import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';
import { STATE_REFERENCE } from '../../support/reference.ts';
import { ACTIONS, askFor, renderStates, VM_STATES } from './state-table.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
});
after(() => world.close());

describe('each state and each action', () => {
  for (const state of VM_STATES) {
    test(`a server that is ${state}`, async () => {
      for (const action of ACTIONS) await askFor(world, action, state);
    });
  }
});

test('the reference says the same', () => {
  assert.equal(readFileSync(STATE_REFERENCE, 'utf8'), renderStates(), 'npm run reference');
});

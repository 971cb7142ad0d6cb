import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tailLog } from '../../../src/services/compute/model/console-log.ts';

test('the end of a log counts lines as nova does', () => {
  assert.equal(tailLog('a\nb\nc\n', 3), 'b\nc\n');
  assert.equal(tailLog('a\nb\nc\n', 0), '');
  assert.equal(tailLog('a\tb\r\n\x1b[1mc', undefined), 'a\tb\n[1mc');
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 9 }), (text, lines) => {
      const tail = tailLog(text, lines);
      assert.ok(tail.split('\n').length <= lines);
      assert.ok(tailLog(text, undefined).endsWith(tail));
    }),
  );
});

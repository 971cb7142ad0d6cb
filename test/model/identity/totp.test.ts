import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase32, passcode, stepAt, stepOf } from '../../../src/services/identity/model/totp.ts';

const SECRET = Buffer.from('12345678901234567890');

test('passcodes are those of RFC 6238, cut to six digits', () => {
  for (const [seconds, code] of [[59, '287082'], [1_111_111_109, '081804'], [1_111_111_111, '050471'], [1_234_567_890, '005924'], [2_000_000_000, '279037'], [20_000_000_000, '353130']] as const) {
    assert.equal(passcode(SECRET, stepAt(new Date(seconds * 1000))), code);
  }
});

test('Base32 is read with and without padding, in either case', () => {
  assert.deepEqual(decodeBase32('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'), SECRET);
  assert.deepEqual(decodeBase32('mzxw6==='), Buffer.from('foo'));
  assert.deepEqual(decodeBase32('MZXW6YQ'), Buffer.from('foob'));
  assert.equal(decodeBase32('not base 32!'), undefined);
  assert.equal(decodeBase32(''), undefined);
});

test('a passcode may be late by as much as is allowed, never early', () => {
  const now = new Date(1_234_567_890_000);
  const step = stepAt(now);
  assert.equal(stepOf(SECRET, passcode(SECRET, step), now, 1), step);
  assert.equal(stepOf(SECRET, passcode(SECRET, step - 1), now, 1), step - 1);
  assert.equal(stepOf(SECRET, passcode(SECRET, step - 2), now, 1), undefined);
  assert.equal(stepOf(SECRET, passcode(SECRET, step + 1), now, 1), undefined);
  assert.equal(stepOf(SECRET, '', now, 1), undefined);
});

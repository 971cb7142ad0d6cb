import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { decrypt, encrypt, generateFernetKey, parseFernetKey } from '../../../src/services/identity/model/fernet.ts';
import { openKeyRing, rotateKeys } from '../../../src/services/identity/model/fernet-keys.ts';
import { METHODS, packToken, unpackToken, type TokenPayload } from '../../../src/services/identity/model/token-payload.ts';
import { scratchDirectory } from '../../support/scratch.ts';

// The test vector of the Fernet specification.
const SECRET = 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=';
const TOKEN = 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
const SECONDS = 499_162_800;

test('makes and reads what the specification says', () => {
  const key = parseFernetKey(SECRET);
  const iv = Buffer.from(Array.from({ length: 16 }, (_, at) => at));
  assert.equal(encrypt(key, Buffer.from('hello'), SECONDS, iv), TOKEN.replace(/=+$/, ''));
  assert.equal(decrypt([key], TOKEN)?.toString(), 'hello');
});

test('any changed bit makes a token unreadable', () => {
  const key = parseFernetKey(generateFernetKey());
  const good = Buffer.from(encrypt(key, Buffer.from('payload'), 1), 'base64url');
  for (let at = 0; at < good.length * 8; at += 1) {
    const bad = Buffer.from(good);
    bad[at >> 3] = (bad[at >> 3] as number) ^ (1 << (at & 7));
    assert.equal(decrypt([key], bad.toString('base64url')), undefined, `bit ${at}`);
  }
});

test('rubbish is no token', () => {
  const key = parseFernetKey(generateFernetKey());
  fc.assert(fc.property(fc.string(), (text) => decrypt([key], text) === undefined));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decrypt([key], Buffer.from(bytes).toString('base64url')) === undefined));
});

const hex = fc.stringMatching(/^[0-9a-f]{32}$/);
const id = fc.oneof(hex, fc.stringMatching(/^[a-zA-Z0-9-]{1,64}$/).filter((text) => text.length > 0));
const audit = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
const payload: fc.Arbitrary<TokenPayload> = fc.record({
  user_id: id,
  scope: fc.oneof(
    fc.constantFrom({ kind: 'unscoped' } as const, { kind: 'system' } as const),
    fc.record({ kind: fc.constantFrom('project' as const, 'domain' as const), id }),
  ),
  methods: fc.subarray([...METHODS]),
  expires_at: fc.integer({ min: 0, max: 2 ** 36 }),
  issued_at: fc.integer({ min: 0, max: 2 ** 45 }),
  audit_ids: fc.array(audit, { minLength: 1, maxLength: 2 }),
}).chain((base) => fc.record({ application_credential_id: fc.option(hex, { nil: undefined }), trust_id: fc.option(hex, { nil: undefined }) })
  .map((extra) => ({ ...base, ...Object.fromEntries(Object.entries(extra).filter(([, value]) => value !== undefined)) })));

test('a payload comes back as it went in', () => {
  fc.assert(fc.property(payload, (one) => {
    assert.deepEqual(unpackToken(packToken(one)), structuredClone(one));
  }));
});

test('no payload of ours makes unpacking throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    unpackToken(Buffer.from(bytes));
  }));
});

test('the largest usual token stays under 255 characters', () => {
  const audit_id = Buffer.alloc(16, 7).toString('base64url');
  const bytes = packToken({
    user_id: 'a'.repeat(32), scope: { kind: 'project', id: 'b'.repeat(32) }, methods: ['token', 'application_credential'], expires_at: 2_000_000_000,
    issued_at: 2_000_000_000_000, audit_ids: [audit_id, audit_id], application_credential_id: 'c'.repeat(32),
  });
  assert.ok(encrypt(parseFernetKey(SECRET), bytes, 2_000_000_000).length < 255);
});

test('a new folder gets a staged and a primary key that only their owner can read', () => {
  const directory = join(scratchDirectory('keys'), 'fernet');
  openKeyRing(directory);
  assert.deepEqual(readdirSync(directory).sort(), ['0', '1']);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, '0')).mode & 0o777, 0o600);
});

test('tokens outlive a rotation, on other controllers too, but not the removal of their key', () => {
  const directory = join(scratchDirectory('keys'), 'fernet');
  mkdirSync(directory);
  const here = openKeyRing(directory);
  const there = openKeyRing(directory);
  const old = here.encrypt(Buffer.from('old'), 1);
  rotateKeys(directory, 3);
  here.reload();
  // What was staged is known everywhere before it is used.
  assert.equal(there.decrypt(here.encrypt(Buffer.from('new'), 1))?.toString(), 'new');
  assert.equal(here.decrypt(old)?.toString(), 'old');
  assert.deepEqual(readdirSync(directory).sort(), ['0', '1', '2']);
  rotateKeys(directory, 3);
  assert.deepEqual(readdirSync(directory).sort(), ['0', '2', '3']);
  here.reload();
  assert.equal(here.decrypt(old), undefined);
  rotateKeys(directory, 3);
  here.reload();
  assert.equal(there.decrypt(here.encrypt(Buffer.from('newest'), 1))?.toString(), 'newest', 'it reads the folder again');
});

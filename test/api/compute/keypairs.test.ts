import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sshRsaLine } from '../../../src/services/compute/model/ssh-public-key.ts';
import { ADMIN_TOKEN, callers, type ServedWorld, serveCompute } from '../../support/compute-world.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1, config: { quota_key_pairs: 8 } });
});
after(() => world.close());

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEvUP0aAI/9SYdTtLMl7KjjaxZy3k4gJPbuh9aoRlPC0 me@home';
const member = callers['member']!.user_id;

const post = (keypair: Record<string, unknown>, options: { version?: string; token?: string } = {}) =>
  world.call('POST', '/os-keypairs', { body: { keypair }, ...options });

test('a key is imported, shown and deleted', async () => {
  const made = await post({ name: 'mine@home.org', public_key: ED25519 });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.keypair, {
    name: 'mine@home.org', public_key: ED25519, fingerprint: md5Of(ED25519), type: 'ssh', user_id: member,
  });
  const shown = (await world.call('GET', '/os-keypairs/mine@home.org')).json.keypair;
  assert.equal(shown.deleted, false);
  assert.equal(shown.updated_at, null);
  assert.ok(Number.isInteger(shown.id) && shown.id > 0);
  assert.match(shown.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  assert.equal((await post({ name: 'mine@home.org', public_key: ED25519 })).status, 409);
  assert.equal((await world.call('DELETE', '/os-keypairs/mine@home.org')).status, 204);
  const gone = await world.call('DELETE', '/os-keypairs/mine@home.org');
  assert.equal(gone.status, 404);
  assert.equal(gone.json.itemNotFound.message, `Keypair mine@home.org not found for user ${member}`);
});

/** What ssh-keygen says of a key. */
function md5Of(line: string): string {
  const file = join(scratchDirectory('key'), 'key.pub');
  writeFileSync(file, `${line}\n`);
  return execFileSync('ssh-keygen', ['-l', '-E', 'md5', '-f', file], { encoding: 'utf8' }).split(' ')[1]!.replace('MD5:', '');
}

test('up to 2.91 a key is made here, and its private half is shown once', async () => {
  const made = await post({ name: 'made' }, { version: '2.1' });
  assert.equal(made.status, 200);
  const { private_key, public_key, fingerprint, ...rest } = made.json.keypair;
  assert.deepEqual(rest, { name: 'made', user_id: member });
  assert.match(private_key, /^-----BEGIN RSA PRIVATE KEY-----\n/);
  const { n, e } = createPublicKey(createPrivateKey(private_key)).export({ format: 'jwk' });
  assert.equal(public_key, sshRsaLine(Buffer.from(n!, 'base64url'), Buffer.from(e!, 'base64url'), 'Generated-by-Nova'));
  assert.equal(fingerprint, md5Of(public_key));
  const file = join(scratchDirectory('key'), 'key');
  writeFileSync(file, private_key);
  chmodSync(file, 0o600);
  assert.ok(public_key.startsWith(execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim()));
  assert.equal('private_key' in (await world.call('GET', '/os-keypairs/made')).json.keypair, false);
  assert.equal((await world.call('DELETE', '/os-keypairs/made', { version: '2.1' })).status, 202);
});

test('certificates have the SHA-1 of the whole as fingerprint, and are made up to 2.91', async () => {
  const made = await post({ name: 'windows', type: 'x509' }, { version: '2.2' });
  assert.equal(made.status, 201, made.text);
  const { public_key, fingerprint, private_key, type } = made.json.keypair;
  const certificate = new X509Certificate(public_key);
  assert.equal(type, 'x509');
  assert.equal(fingerprint, certificate.fingerprint.toLowerCase());
  assert.equal(certificate.subject, `CN=${member}`);
  assert.ok(Buffer.from(private_key, 'base64').length > 1000);
  const imported = await post({ name: 'windows2', type: 'x509', public_key });
  assert.equal(imported.json.keypair.fingerprint, fingerprint);
  const bad = await post({ name: 'windows3', type: 'x509', public_key: 'none' });
  assert.equal(bad.status, 400);
  assert.match(bad.json.badRequest.message, /^Keypair data is invalid: failed to generate X509 fingerprint/);
  for (const name of ['windows', 'windows2']) await world.call('DELETE', `/os-keypairs/${name}`);
});

test('what is no key, or no name, is refused', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n, e } = publicKey.export({ format: 'jwk' });
  const good = sshRsaLine(Buffer.from(n!, 'base64url'), Buffer.from(e!, 'base64url'), 'x');
  const keys = ['', 'ssh-rsa', 'ssh-rsa AAAA', 'ssh-rsa JUNK', 'ssh-dss bad-key', good.slice(8), `ssh-ed25519${good.slice(7)}`, `${good.slice(0, 60)} x`, publicKey.export({ type: 'spki', format: 'pem' }).toString()];
  for (const public_key of keys) {
    const reply = await post({ name: 'bad', public_key });
    assert.equal(reply.status, 400, public_key);
    assert.equal(reply.json.badRequest.message, 'Keypair data is invalid: failed to generate fingerprint');
  }
  for (const name of ['', ' x', 'a/b', 'ключ', 'x'.repeat(256), 'a\n']) assert.equal((await post({ name, public_key: good })).status, 400, name);
  assert.equal((await post({ name: 'a.b', public_key: good }, { version: '2.91' })).status, 400);
  assert.equal((await post({ name: 'no-key' })).status, 400);
  assert.equal((await post({ name: 'typed', type: 'ssh', public_key: good }, { version: '2.1' })).status, 400);
  assert.equal((await post({ name: 'typed', type: 'gpg', public_key: good })).status, 400);
  assert.deepEqual((await world.call('GET', '/os-keypairs')).json, { keypairs: [] });
});

test('lists are by name and paged from 2.35 on', async () => {
  for (const name of ['c', 'a', 'b']) await post({ name, public_key: ED25519 });
  const names = (reply: any) => reply.json.keypairs.map(({ keypair }: any) => keypair.name);
  const first = await world.call('GET', '/os-keypairs?limit=2');
  assert.deepEqual(names(first), ['a', 'b']);
  assert.deepEqual(names(await world.call('GET', `/os-keypairs${new URL(first.json.keypairs_links[0].href).search}`)), ['c']);
  assert.equal((await world.call('GET', '/os-keypairs?marker=z')).status, 400);
  assert.equal((await world.call('GET', '/os-keypairs?colour=red')).status, 400);
  const old = await world.call('GET', '/os-keypairs?limit=1', { version: '2.34' });
  assert.deepEqual(names(old), ['a', 'b', 'c']);
  assert.equal('type' in (await world.call('GET', '/os-keypairs', { version: '2.1' })).json.keypairs[0].keypair, false);
  for (const name of ['c', 'a', 'b']) await world.call('DELETE', `/os-keypairs/${name}`);
});

test('administrators handle key pairs of others from 2.10 on', async () => {
  const made = await post({ name: 'for-member', public_key: ED25519, user_id: member }, { token: ADMIN_TOKEN });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.keypair.user_id, member);
  assert.equal((await world.call('GET', '/os-keypairs/for-member')).status, 200);
  assert.equal((await world.call('GET', '/os-keypairs/for-member', { token: ADMIN_TOKEN })).status, 404);
  assert.equal((await world.call('GET', `/os-keypairs/for-member?user_id=${member}`, { token: ADMIN_TOKEN })).status, 200);
  assert.equal((await world.call('GET', `/os-keypairs/for-member?user_id=${member}`, { token: 'other' })).status, 403);
  assert.equal((await world.call('GET', `/os-keypairs?user_id=${member}`, { token: 'other' })).status, 403);
  assert.equal((await post({ name: 'x', public_key: ED25519, user_id: member }, { token: 'other' })).status, 403);
  assert.equal((await world.call('DELETE', `/os-keypairs/for-member?user_id=${member}`, { token: 'other' })).status, 403);
  assert.equal((await world.call('DELETE', `/os-keypairs/for-member?user_id=${member}`, { token: ADMIN_TOKEN })).status, 204);
});

test('a user never has more key pairs than the quota, however many are asked for at once', async () => {
  const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => post({ name: `many ${n}`, public_key: ED25519 }, { token: 'other' })));
  assert.equal(replies.filter(({ status }) => status === 201).length, 8);
  const refused = replies.filter(({ status }) => status === 403);
  assert.equal(refused.length, 12);
  assert.equal(refused[0]!.json.forbidden.message, 'Quota exceeded, too many key pairs.');
  const rows = (await world.call('GET', '/os-keypairs', { token: 'other' })).json.keypairs;
  assert.equal(rows.length, 8);
});

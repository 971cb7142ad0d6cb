import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import type { Rotation } from '../../../src/services/identity/model/key-rotation.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import type { TestResponse } from '../../support/surface.ts';
import { startIdentity, type TestIdentity } from './cloud.ts';

const folder = join(scratchDirectory('keys'), 'credentials');
let cloud: TestIdentity;
let admin: string;
let domain: string;

const v3 = (method: string, path: string, body?: unknown): Promise<TestResponse> => cloud.call(method, `/identity/v3/${path}`, body === undefined ? {} : { body });

before(async () => {
  cloud = await startIdentity({ config: { credential_keys: folder } });
  admin = (await v3('GET', 'users?name=admin')).json.users[0].id;
  domain = (await v3('POST', 'domains', { domain: { name: 'd' } })).json.domain.id;
});
after(() => cloud.close());

async function runJob(name = 'identity.rotate-credential-keys'): Promise<Rotation> {
  const job = cloud.identity.service.jobs.find((one) => one.name === name);
  return (await job?.run({ log: silentLog, clock: systemClock, signal: AbortSignal.timeout(60_000) })) as Rotation;
}

const TABLES = { identity_credentials: 'blob', identity_consumers: 'secret', identity_domain_options: 'value' } as const;

async function sealed(): Promise<string[]> {
  const all = Object.entries(TABLES).map(async ([table, column]) => (await cloud.database.db.read.selectFrom(table).select([column, 'key_hash']).limit(1000).execute()).map((row: any) => `${row.key_hash} ${row[column]}`));
  return (await Promise.all(all)).flat();
}

const keys = (): string[] => readdirSync(folder).filter((name) => /^\d+$/.test(name)).sort();

test('on demand the keys change, and every secret comes under the new one', async () => {
  const ids: string[] = [];
  for (let at = 0; at < 450; at += 1) ids.push((await v3('POST', 'credentials', { credential: { type: 'cert', blob: `secret ${at}`, user_id: admin } })).json.credential.id);
  await v3('POST', 'OS-OAUTH1/consumers', { consumer: {} });
  await v3('PUT', `domains/${domain}/config`, { config: { ldap: { password: 'x', url: 'ldap://here' } } });
  const before = await sealed();
  assert.deepEqual(await runJob(), { rotated: false, reencrypted: 0, unreadable: 0 });

  writeFileSync(join(folder, 'rotate'), '');
  assert.equal((await runJob()).rotated, false, 'not while others may not have read the keys yet');
  cloud.advance(400);
  assert.deepEqual(await runJob(), { rotated: true, reencrypted: 452, unreadable: 0 });
  assert.equal(existsSync(join(folder, 'rotate')), false);
  assert.deepEqual(keys(), ['0', '1', '2']);
  const after = await sealed();
  assert.equal(after.filter((one) => before.includes(one)).length, 1, 'all but the option that is no secret');
  assert.equal((await v3('GET', `credentials/${ids[449]}`)).json.credential.blob, 'secret 449');
  assert.deepEqual(await runJob(), { rotated: false, reencrypted: 0, unreadable: 0 });
});

test('the key before the last goes only when nothing needs it', async () => {
  const lost = await cloud.database.db.read.selectFrom('identity_credentials').selectAll().orderBy('id').executeTakeFirstOrThrow();
  await cloud.database.db.transaction((tx) => tx.updateTable('identity_credentials').set({ blob: 'gAAAAA', key_hash: 'of-a-lost-key' }).where('id', '=', lost.id).execute());
  writeFileSync(join(folder, 'rotate'), '');
  cloud.advance(1000);
  assert.deepEqual(await runJob(), { rotated: false, reencrypted: 0, unreadable: 1 });
  assert.deepEqual(keys(), ['0', '1', '2']);
  await cloud.database.db.transaction((tx) => tx.updateTable('identity_credentials').set({ blob: lost.blob, key_hash: '' }).where('id', '=', lost.id).execute());
  const again = await runJob();
  assert.deepEqual([again.rotated, again.unreadable], [true, 0]);
  assert.deepEqual(keys(), ['0', '2', '3']);
  assert.match((await v3('GET', `credentials/${lost.id}`)).json.credential.blob, /^secret/);
});

test('the keys of tokens change on demand as well, and older tokens still count', async () => {
  writeFileSync(join(cloud.keys, 'rotate'), '');
  assert.deepEqual(await runJob('identity.rotate-keys'), { rotated: true });
  assert.equal(existsSync(join(cloud.keys, 'rotate')), false);
  assert.equal((await v3('GET', 'users')).status, 200);
});

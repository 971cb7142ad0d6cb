/** Consoles over real HTTP and WebSockets, on a node with a fake driver. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConsoleClient, openConsole } from '../../support/console-client.ts';
import { type FakeNodeCloud, startFakeNodeCloud } from '../../support/fake-node.ts';

let world: FakeNodeCloud;
let server: { id: string; name: string };
const clients: ConsoleClient[] = [];

before(async () => {
  world = await startFakeNodeCloud('[compute]\nquota_instances = -1\nconsole_max_open_per_server = 8\nconsole_allowed_origins = ["dashboard.example.com"]\n');
  server = await world.boot('talker');
});
after(async () => {
  clients.forEach((client) => client.close());
  await world.stop();
});

const at = (version: string, method: string, path: string, body?: unknown, token?: string) =>
  world.cloud.call(method, `/compute/v2.1${path}`, { headers: { 'openstack-api-version': `compute ${version}` }, ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) });

const remote = (id: string, protocol: string, type: string, version = 'latest', token?: string) => at(version, 'POST', `/servers/${id}/remote-consoles`, { remote_console: { protocol, type } }, token);

async function urlOf(id = server.id): Promise<string> {
  return (await remote(id, 'serial', 'serial')).json.remote_console.url;
}

async function connect(url: string, options: Parameters<typeof openConsole>[1] = {}): Promise<ConsoleClient> {
  const client = await openConsole(url, options);
  clients.push(client);
  return client;
}

test('a console is asked for as nova has it', async () => {
  const made = await remote(server.id, 'vnc', 'novnc');
  assert.equal(made.status, 200, made.text);
  assert.match(made.json.remote_console.url, /^http:\/\/127\.0\.0\.1:\d+\/console\/\?token=[0-9a-f-]{36}$/);
  assert.deepEqual({ ...made.json.remote_console, url: '' }, { protocol: 'vnc', type: 'novnc', url: '' });
  assert.match(await urlOf(), /^ws:\/\/127\.0\.0\.1:\d+\/console\/\?token=/);
  const refused = async (protocol: string, type: string, message: string, version?: string): Promise<void> => {
    const answer = await remote(server.id, protocol, type, version);
    assert.deepEqual([answer.status, answer.json.badRequest?.message], [400, message]);
  };
  await refused('spice', 'spice-html5', 'Unavailable console type spice-html5.');
  await refused('mks', 'webmks', 'Unavailable console type webmks.');
  await refused('rdp', 'rdp-html5', 'Unavailable console type rdp.');
  await refused('vnc', 'xvpvnc', 'Invalid console type xvpvnc');
  assert.equal((await remote(server.id, 'mks', 'webmks', '2.7')).status, 400);
  assert.match((await remote(server.id, 'mks', 'webmks', '2.7')).json.badRequest.message, /protocol\. Value: "mks"/);
  assert.equal((await remote(server.id, 'vnc', 'novnc', '2.5')).status, 404);
  assert.equal((await remote(server.id, 'vnc', 'novnc', '2.6')).status, 200);
  assert.equal((await at('latest', 'POST', `/servers/${server.id}/remote-consoles`, { remote_console: { protocol: 'vnc' } })).status, 400);
});

test('the older calls end with 2.5, and say what there is none of', async () => {
  const act = (name: string, type: string, version = '2.1') => at(version, 'POST', `/servers/${server.id}/action`, { [name]: { type } });
  const vnc = await act('os-getVNCConsole', 'novnc', '2.5');
  assert.equal(vnc.status, 200, vnc.text);
  assert.deepEqual({ ...vnc.json.console, url: new URL(vnc.json.console.url).pathname }, { type: 'novnc', url: '/console/' });
  assert.match((await act('os-getSerialConsole', 'serial')).json.console.url, /^ws:/);
  for (const [name, type] of [['os-getVNCConsole', 'xvpvnc'], ['os-getVNCConsole', 'invalid'], ['os-getSPICEConsole', 'spice-html5'], ['os-getRDPConsole', 'rdp-html5']] as const) {
    assert.equal((await act(name, type)).status, 400, name);
  }
  assert.equal((await act('os-getVNCConsole', 'novnc', '2.6')).status, 404);
  assert.equal((await act('os-getRDPConsole', 'rdp-html5', '2.6')).status, 404);
});

test('only who may use a server gets its console', async () => {
  const other = await world.cloud.tenant('stranger');
  assert.equal((await remote(server.id, 'vnc', 'novnc', 'latest', other.token)).status, 404);
  const reader = await world.cloud.tenant('watcher', ['reader']);
  assert.equal((await remote(server.id, 'vnc', 'novnc', 'latest', reader.token)).status, 404);
  const gone = await remote('00000000-0000-4000-8000-000000000000', 'vnc', 'novnc');
  assert.equal(gone.status, 404);
});

test('an administrator sees whose console a token opens', async () => {
  const token = new URL(await urlOf()).searchParams.get('token')!;
  const shown = await at('2.31', 'GET', `/os-console-auth-tokens/${token}`);
  assert.equal(shown.status, 200, shown.text);
  assert.deepEqual(shown.json.console, { instance_uuid: server.id, host: 'node-1', port: Number(new URL(world.cloud.url).port), internal_access_path: null });
  assert.equal((await at('2.30', 'GET', `/os-console-auth-tokens/${token}`)).status, 400);
  assert.equal((await at('2.31', 'GET', '/os-console-auth-tokens/none')).json.itemNotFound.message, 'Token not found');
  const member = await world.cloud.tenant('asker');
  assert.equal((await at('2.31', 'GET', `/os-console-auth-tokens/${token}`, undefined, member.token)).status, 403);
});

test('a shell hears, answers, is resized and ends with its code', async () => {
  const console = await connect(await urlOf(), { open: { size: { cols: 100, rows: 30 } } });
  assert.deepEqual(await console.until({ word: 'opened' }), { server: { id: server.id, name: 'talker' }, mode: 'exec', tty: true, input: true });
  await console.until('talker$ ');
  console.send('size\n');
  await console.until('100x30');
  console.send({ resize: { cols: 132, rows: 43 } });
  console.send('size\n');
  await console.until('132x43');
  console.send('complain\n');
  console.send('exit 3\n');
  assert.deepEqual(await console.until({ word: 'exit' }), { code: 3 });
  assert.equal(console.text(2), 'no\n');
  assert.equal((await console.closed).code, 1000);
});

test('a program runs with its input until that ends', async () => {
  const url = await urlOf();
  const program = await connect(url, { open: { command: ['exit', '7'], tty: false } });
  assert.deepEqual(await program.until({ word: 'exit' }), { code: 7 });
  const shell = await connect(url);
  await shell.until('talker$ ');
  shell.send({ eof: true });
  assert.deepEqual(await shell.until({ word: 'exit' }), { code: 0 });
});

test('the log and the main process can be looked at', async () => {
  const url = await urlOf();
  const log = await connect(url, { open: { mode: 'log' } });
  await log.until('talker started at');
  assert.equal((await log.until({ word: 'opened' })).input, false);
  const main = await connect(url, { open: { mode: 'attach' } });
  main.send('hello\n');
  await main.until('hello');
  log.close();
  main.close();
});

for (const protocol of ['binary', 'base64', null]) {
  test(`clients of nova's serial consoles speak ${protocol ?? 'no subprotocol'}`, async () => {
    const console = await connect(await urlOf(), { protocol });
    assert.equal(console.socket.protocol, protocol ?? '');
    await console.until('talker$ ');
    console.send(protocol === 'base64' ? Buffer.from('echo me\r').toString('base64') : Buffer.from('echo me\r'));
    await console.until('echo me');
    assert.deepEqual(console.words, []);
    console.close();
  });
}

test('without a good token, or from a page of another host, nothing opens', async () => {
  const url = new URL(await urlOf());
  for (const token of ['', 'none', '00000000-0000-4000-8000-000000000000']) {
    url.searchParams.set('token', token);
    assert.equal((await (await connect(url.href)).closed).code, 4401);
  }
  const good = await urlOf();
  assert.equal((await (await connect(good, { headers: { origin: 'https://evil.example.com' } })).closed).code, 4403);
  const dashboard = await connect(good, { headers: { origin: 'https://dashboard.example.com' } });
  await dashboard.until({ word: 'opened' });
  dashboard.close();
  const malformed = await connect(good, { open: { mode: 'dance' } });
  assert.equal((await malformed.closed).code, 4409);
});

test('a client that reads slowly holds up neither the node nor others, and is told what it missed', async () => {
  const url = await urlOf();
  const slow = await connect(url, { open: { mode: 'attach' } });
  await slow.until('talker$ ');
  slow.socket.pause();
  const begun = slow.text().length;
  slow.send('flood 65536\n');
  const other = await connect(url, { open: { mode: 'attach' } });
  other.send('still there\n');
  await other.until('still there');
  slow.socket.resume();
  const skipped = await slow.until({ word: 'skipped' });
  assert.ok(skipped > 0);
  assert.ok(slow.text().length - begun + skipped >= 65_536 * 1024, 'all of it was shown or counted');
  other.close();
  slow.close();
});

test('too many consoles of one server are refused, and places come free', async () => {
  const one = await world.boot('busy');
  const url = await urlOf(one.id);
  const eight = await Promise.all(Array.from({ length: 8 }, () => connect(url)));
  await Promise.all(eight.map((client) => client.until({ word: 'opened' })));
  assert.equal((await (await connect(url)).closed).code, 4429);
  eight[0]!.close();
  await eight[0]!.closed;
  for (;;) {
    const next = await connect(url);
    const opened = await Promise.race([next.until({ word: 'opened' }).then(() => true, () => false), next.closed.then(() => false)]);
    if (opened) break;
  }
});

test('a server that is off has a log but no shell; its console ends when it stops', async () => {
  const one = await world.boot('sleeper');
  const url = await urlOf(one.id);
  const shell = await connect(url);
  await shell.until({ word: 'opened' });
  await world.must('POST', `/compute/v2.1/servers/${one.id}/action`, { 'os-stop': null });
  assert.deepEqual(await shell.until({ word: 'exit' }), { code: null });
  const again = await connect(url);
  assert.match((await again.until({ word: 'error' })).message, /does not run/);
  assert.equal((await again.closed).code, 4409);
  const log = await connect(url, { open: { mode: 'log' } });
  await log.until('sleeper started at');
  assert.equal((await log.closed).code, 1000);
});

test('deleting a server takes its tokens back and ends its consoles', async () => {
  const one = await world.boot('gone');
  const url = await urlOf(one.id);
  const shell = await connect(url);
  await shell.until({ word: 'opened' });
  await world.must('DELETE', `/compute/v2.1/servers/${one.id}`);
  assert.ok([1000, 1011].includes((await shell.closed).code));
  assert.equal((await (await connect(url)).closed).code, 4401);
});

test('rebuilding a server takes its tokens back', async () => {
  const one = await world.boot('anew');
  const url = await urlOf(one.id);
  await world.must('POST', `/compute/v2.1/servers/${one.id}/action`, { rebuild: { imageRef: one.image.id } });
  assert.equal((await (await connect(url)).closed).code, 4401);
  while ((await world.must('GET', `/compute/v2.1/servers/${one.id}`)).server.status !== 'ACTIVE') await delay(10);
  await (await connect(await urlOf(one.id))).until({ word: 'opened' });
});

test('a node that is lost ends its consoles; the same link opens one when it is back', async () => {
  const one = await world.boot('moody');
  const url = await urlOf(one.id);
  const shell = await connect(url);
  await shell.until({ word: 'opened' });
  await world.agent.close();
  assert.equal((await shell.closed).code, 1011);
  const away = await connect(url);
  assert.match((await away.until({ word: 'error' })).code, /^bus\./);
  await world.relink();
});

test('the page comes with a strict policy, and nothing but its own files', async () => {
  const page = await fetch(new URL('/console/', world.cloud.url));
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'; script-src 'self'/);
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
  const html = await page.text();
  const script = await fetch(new URL('/console/assets/console.js', world.cloud.url));
  assert.match(script.headers.get('content-type')!, /^text\/javascript/);
  const modules = [...(await script.text()).matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => `assets/${name}`);
  for (const name of [...modules, ...[...html.matchAll(/(?:src|href)="([^":,]+)"/g)].map(([, name]) => name)]) {
    const answer = await fetch(new URL(`/console/${name}`, world.cloud.url));
    assert.equal(answer.status, 200, name);
    assert.ok((await answer.arrayBuffer()).byteLength > 100, name);
  }
  for (const name of ['none.js', '..%2fpage.ts', 'constructor', 'index.html']) assert.equal((await fetch(new URL(`/console/assets/${name}`, world.cloud.url))).status, 404, name);
});

test('limits of time: a token, silence, and the longest stay', async () => {
  const short = await startFakeNodeCloud('[compute]\nconsole_token_ttl = 1\nconsole_idle_timeout = 1\nconsole_max_time = 2\nconsole_modes = ["log", "attach"]\n');
  try {
    const one = await short.boot('brief');
    const ask = async (): Promise<string> => (await short.must('POST', `/compute/v2.1/servers/${one.id}/remote-consoles`, { remote_console: { protocol: 'serial', type: 'serial' } })).remote_console.url;
    const expiring = await ask();
    const idle = await connect(await ask(), { open: { mode: 'attach' } });
    const busy = await connect(await ask(), { open: { mode: 'attach' } });
    assert.equal((await (await connect(await ask())).until({ word: 'error' })).code, 'compute.console-mode-off');
    const typing = setInterval(() => busy.send('x'), 50);
    const [first, second] = await Promise.all([idle.closed, busy.closed]);
    clearInterval(typing);
    assert.deepEqual([first.code, second.code], [4408, 4408]);
    assert.match(first.reason, /Nothing was written/);
    assert.match(second.reason, /as long as it may/);
    while ((await (await connect(expiring, { open: { mode: 'log' } })).closed).code !== 4401) await delay(50);
  } finally {
    await short.stop();
  }
});

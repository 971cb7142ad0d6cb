/** Consoles of real containers: a shell beside the main process, the main process itself, the page in a browser. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { type ConsoleClient, openConsole } from '../../support/console-client.ts';
import { runProgram, startRealCloud, type RealCloud } from '../../support/real-cloud.ts';
import { createServer, deleteServer, makeFlavor, makeImage, makeNetwork, waitServer } from '../../support/real-cloud-world.ts';

const CHROMIUM = '/usr/bin/chromium';
let cloud: RealCloud;
let boot: (name: string, metadata?: Record<string, string>) => Promise<string>;
let server: string;
const clients: ConsoleClient[] = [];

before(async () => {
  cloud = await startRealCloud({ name: 'gtcn', toml: '[compute]\ncpu_allocation_ratio = 32\nshutdown_timeout = 1\n' });
  const [imageRef, flavorRef, uuid] = [await makeImage(cloud.admin, 'hello', buildGuestImage()), await makeFlavor(cloud.admin, 'nano', { vcpus: 1, ram: 64, disk: 1 }), await makeNetwork(cloud.admin, 'private', '192.168.61.0/24')];
  boot = async (name, metadata = {}) => {
    const id = await createServer(cloud.admin, { name, imageRef, flavorRef, networks: [{ uuid }], metadata });
    await waitServer(cloud.admin, id, 'ACTIVE');
    return id;
  };
  server = await boot('talker');
});
after(async () => {
  clients.forEach((client) => client.close());
  await cloud?.stop();
});

async function urlOf(id: string, type: 'serial' | 'novnc' = 'serial'): Promise<string> {
  const action = type === 'serial' ? 'os-getSerialConsole' : 'os-getVNCConsole';
  return (await cloud.admin.call('compute', 'POST', `/servers/${id}/action`, { [action]: { type } })).console.url;
}

async function connect(id: string, open: object, protocol?: string): Promise<ConsoleClient> {
  const client = await openConsole(await urlOf(id), { open, ...(protocol === undefined ? {} : { protocol }) });
  clients.push(client);
  return client;
}

const container = (id: string): string => `${cloud.name}-${id}`;

async function inside(id: string, ...command: string[]): Promise<string> {
  return (await runProgram(['docker', 'exec', container(id), ...command])).stdout;
}

/** The engine sets a size beside the program: it may be asked too soon. */
async function hasSize(shell: ConsoleClient, size: string): Promise<void> {
  for (let asked = 0; !shell.text().includes(size); asked += 1) {
    assert.ok(asked < 100, shell.text());
    shell.send('stty size\r');
    await delay(100);
  }
}

test('a shell has a terminal of the asked size, is resized and ends with its code', async () => {
  const shell = await connect(server, { size: { cols: 101, rows: 31 } });
  assert.deepEqual(await shell.until({ word: 'opened' }), { server: { id: server, name: 'talker' }, mode: 'exec', tty: true, input: true });
  await hasSize(shell, '31 101');
  shell.send('echo "$TERM"\r');
  await shell.until('xterm-256color');
  shell.send({ resize: { cols: 132, rows: 43 } });
  await hasSize(shell, '43 132');
  shell.send('exit 5\r');
  assert.deepEqual(await shell.until({ word: 'exit' }), { code: 5 });
});

test('a program keeps its two outputs apart, has its input and its code', async () => {
  const program = await connect(server, { tty: false, command: ['/bin/sh', '-c', 'cat; echo bad >&2; exit 9'] });
  await program.until({ word: 'opened' });
  program.send('one\ntwo\n');
  program.send({ eof: true });
  assert.deepEqual(await program.until({ word: 'exit' }), { code: 9 });
  assert.deepEqual([program.text(1), program.text(2)], ['one\ntwo\n', 'bad\n']);
});

test('large output arrives whole at a slow reader', async () => {
  const program = await connect(server, { tty: false, command: ['/bin/sh', '-c', 'head -c 20000000 /dev/zero'] });
  await program.until({ word: 'opened' });
  program.socket.pause();
  await delay(300);
  program.socket.resume();
  assert.deepEqual(await program.until({ word: 'exit' }), { code: 0 });
  assert.equal(program.text(1).length, 20_000_000);
});

test('a program that is not there ends with 127 or is refused, and its server is none the worse', async () => {
  const program = await connect(server, { command: ['/no/such/program'] });
  await program.closed;
  const told = program.words.find((word) => 'exit' in word || 'error' in word);
  assert.ok(told?.exit?.code === 127 || told?.exit?.code === 126 || told?.error?.code === 'compute.exec-failed', JSON.stringify(program.words));
});

test('who leaves takes the program along', async () => {
  const shell = await connect(server, { command: ['/bin/sleep', '98765'], tty: true });
  await shell.until({ word: 'opened' });
  assert.match(await inside(server, 'ps'), /sleep 98765/);
  shell.close();
  while (/sleep 98765/.test(await inside(server, 'ps'))) await delay(50);
});

test('the main process with a terminal of its own hears and answers, through nova\'s protocol too', async () => {
  const id = await boot('tty', { 'docker:tty': 'true', 'docker:cmd': '["/bin/sh"]' });
  const main = await connect(id, { mode: 'attach', size: { cols: 90, rows: 20 } });
  assert.equal((await main.until({ word: 'opened' })).tty, true);
  main.send('echo sum $((40+2)); stty size\r');
  await main.until('sum 42');
  await main.until('20 90');
  main.close();
  const raw = await openConsole(await urlOf(id), { protocol: 'binary' });
  clients.push(raw);
  await raw.until('sum 42');
  raw.send(Buffer.from('echo again $((1+1))\r'));
  await raw.until('again 2');
  raw.close();
  const log = await cloud.admin.call('compute', 'POST', `/servers/${id}/action`, { 'os-getConsoleOutput': {} });
  assert.match(log.output, /sum 42/);
});

test('the main process without a terminal hears too; a visitor that leaves does not end it', async () => {
  const id = await boot('plain', { 'docker:cmd': '["/bin/sh","-c","while read line; do echo heard $line; done"]' });
  const main = await connect(id, { mode: 'attach' });
  assert.deepEqual(await main.until({ word: 'opened' }).then(({ tty, input }) => ({ tty, input })), { tty: false, input: true });
  main.send('you\n');
  await main.until('heard you');
  main.send({ eof: true });
  main.close();
  await main.closed;
  const again = await connect(id, { mode: 'attach' });
  await again.until('heard you');
  again.send('me\n');
  await again.until('heard me');
  const log = await connect(id, { mode: 'log', tail: 1 });
  await log.until('heard me');
  again.send('more\n');
  await log.until('heard more');
  assert.ok(!log.text().includes('heard you'));
});

test('a reader that sleeps does not make the main process wait', async () => {
  const id = await boot('writer', { 'docker:cmd': '["/bin/sh","-c","read go; head -c 30000000 /dev/zero; echo; touch /tmp/done; sleep 1000"]' });
  const main = await connect(id, { mode: 'attach' });
  await main.until({ word: 'opened' });
  main.socket.pause();
  main.send('go\n');
  while ((await runProgram(['docker', 'exec', container(id), 'ls', '/tmp/done'])).code !== 0) await delay(50);
  main.socket.resume();
  assert.ok((await main.until({ word: 'skipped' })) > 0);
});

test('a restarted agent opens consoles of the servers it finds; those that were open end', async () => {
  const shell = await connect(server, {});
  await shell.until({ word: 'opened' });
  await cloud.kill('agent');
  assert.equal((await shell.closed).code, 1011);
  cloud.launch('agent');
  await cloud.waitReady();
  const again = await connect(server, {});
  await again.until({ word: 'opened' });
  again.send('echo back again\r');
  await again.until('back again');
});

test('deleting a server ends its consoles', async () => {
  const id = await boot('short');
  const shell = await connect(id, {});
  await shell.until({ word: 'opened' });
  const url = await urlOf(id);
  await deleteServer(cloud.admin, id);
  assert.ok([1000, 1011].includes((await shell.closed).code));
  const late = await openConsole(url);
  assert.equal((await late.closed).code, 4401);
});

test('in a browser: typing, the log, coming back after a restart, and clear words when the link is no good', async () => {
  const id = await boot('web');
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(error.message));
    const screen = (): Promise<string> => page.locator('.xterm-rows').innerText();
    const shows = async (text: string): Promise<void> => {
      while (!(await screen()).replaceAll(/\s/g, '').includes(text.replaceAll(/\s/g, ''))) await delay(50);
    };
    await page.goto(await urlOf(id, 'novnc'));
    await page.locator('#state[data-kind="good"]').waitFor();
    assert.equal(await page.title(), 'web – console');
    await page.keyboard.type('echo typed $((6*7))\n');
    await shows('typed 42');
    assert.equal(await page.getByRole('button', { name: 'Shell' }).getAttribute('aria-pressed'), 'true');
    await page.getByRole('button', { name: 'Log' }).click();
    await page.locator('#state', { hasText: 'read only' }).waitFor();
    await page.getByRole('button', { name: 'Shell' }).click();
    await page.locator('#state[data-kind="good"]').waitFor();
    await page.setViewportSize({ width: 700, height: 400 });
    await page.getByRole('button', { name: 'Main process' }).click();
    await page.locator('#state[data-kind="good"]').waitFor();
    await cloud.admin.call('compute', 'POST', `/servers/${id}/action`, { reboot: { type: 'HARD' } });
    await page.locator('#state[data-kind="bad"]').waitFor();
    await page.locator('#state[data-kind="good"]').waitFor();
    assert.deepEqual(problems.filter((text) => !/WebSocket/.test(text)), []);
    await page.goto(`${cloud.url}/console/?token=none`);
    await page.locator('#state', { hasText: 'openstack console url show' }).waitFor();
  } finally {
    await browser.close();
  }
});

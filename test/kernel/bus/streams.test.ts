/** Streams beside a node's link: who may open one, and what happens to those that nobody waits for. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectToController, type AgentLink } from '../../../src/kernel/bus/agent-link.ts';
import { forward, type Pipe } from '../../../src/kernel/bus/pipe.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { join } from 'node:path';
import { JOIN_TOKEN, startTestCloud, type TestCloud } from '../../support/cloud.ts';

let cloud: TestCloud;
const links: AgentLink[] = [];
const opened: Pipe[] = [];

before(async () => { cloud = await startTestCloud(); });
after(async () => {
  for (const link of links) await link.close();
  await cloud.stop();
});

async function node(name: string): Promise<AgentLink> {
  const link = connectToController({
    url: cloud.url.replace('http', 'ws'), identityFile: join(cloud.directory, `${name}.json`), joinToken: JOIN_TOKEN, hostname: name, roles: [], log: silentLog,
    handlers: {
      open: async ({ stream_id }) => {
        const pipe = await link.openStream(stream_id);
        opened.push(pipe);
        forward(pipe, pipe, (message) => message);
        return 'echo';
      },
      forget: () => 'nothing',
      steal: async ({ stream_id }) => await links.find((one) => one !== link)!.openStream(stream_id).then(() => 'stolen'),
    },
  });
  links.push(link);
  await new Promise<void>((resolve) => link.onConnect(resolve));
  return link;
}

const next = (pipe: Pipe): Promise<string | Buffer> => new Promise((resolve) => pipe.onMessage(resolve));

test('a node opens the stream that a call asks for, and messages keep their kind and order', async () => {
  const link = await node('one');
  const { pipe, reply } = await cloud.nodes.openStream(link.node_id, 'open', { what: 1 });
  assert.equal(reply, 'echo');
  pipe.send('word');
  assert.equal(await next(pipe), 'word');
  pipe.send(Buffer.from([0, 255]));
  assert.deepEqual(await next(pipe), Buffer.from([0, 255]));
  const gone = new Promise<number>((resolve) => opened.at(-1)!.onClose(resolve));
  pipe.close(1000, 'enough');
  assert.equal(await gone, 1000);
});

test('much more than a buffer holds goes through whole, and each side waits for the other', async () => {
  const { pipe } = await cloud.nodes.openStream(links[0]!.node_id, 'open', {});
  const total = 64;
  let received = 0;
  let waited = false;
  const all = new Promise<void>((resolve) => pipe.onMessage((message) => {
    assert.equal((message as Buffer)[0], received);
    received += 1;
    if (received === total) resolve();
  }));
  for (let at = 0; at < total; at += 1) {
    if (pipe.send(Buffer.alloc(512 * 1024, at))) continue;
    waited = true;
    await new Promise<void>((resolve) => pipe.onDrain(resolve));
  }
  await all;
  assert.ok(waited);
  pipe.close(1000, 'enough');
});

test('a stream that does not come, or comes from another node, is a fault; nobody may bring one unasked', async () => {
  const [one] = links;
  const two = await node('two');
  await assert.rejects(cloud.nodes.openStream(one!.node_id, 'forget', {}), { code: 'bus.no-stream' });
  await assert.rejects(cloud.nodes.openStream(one!.node_id, 'steal', {}), { code: 'bus.stream-refused' });
  await assert.rejects(two.openStream('unasked'), { code: 'bus.stream-refused' });
  await assert.rejects(cloud.nodes.openStream('00000000-0000-4000-8000-000000000000', 'open', {}), { code: 'bus.node-unavailable' });
});

test('a node may ask for a stream itself, once', async () => {
  const [one] = links;
  let taken: Pipe | undefined;
  const id = cloud.nodes.expectStream(one!.node_id, (pipe) => { taken = pipe; });
  const mine = await one!.openStream(id);
  mine.send('knock');
  while (taken === undefined) await new Promise(setImmediate);
  assert.equal(await next(taken), 'knock');
  await assert.rejects(one!.openStream(id), { code: 'bus.stream-refused' });
  mine.close(1000, 'enough');
});

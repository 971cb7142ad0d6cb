import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createRig, sha256, until, type Rig } from './harness.ts';
import { asLayer, baseLayer, createLayerStore, fileLayer, type LayerImage, type LayerStore, type TestLayer } from './layers.ts';

let rig: Rig;
let store: LayerStore;
let lower: TestLayer[];
let image: LayerImage;
const sent = new Map<string, Buffer>();

before(async () => {
  store = createLayerStore();
  rig = await createRig(undefined, {
    layers: store,
    disk_limit: 'auto',
    async send(image_id, body) {
      const bytes = await buffer(body);
      sent.set(image_id, bytes);
      return { digest: sha256(bytes), size: bytes.length };
    },
  });
  lower = [await baseLayer('gzip', randomUUID()), fileLayer('srv/old/file', 'below'), fileLayer('srv/gone', 'gone')];
  image = store.add(lower);
});
after(async () => await rig.close());

const specOf = (from: LayerImage, change = {}) => rig.spec({ ref: from.ref, archive: Buffer.alloc(0) }, change);
const sh = async (id: string, script: string): Promise<string> => {
  const { code, output } = await rig.inside(id, 'sh', '-c', script);
  assert.equal(code, 0, output);
  return output;
};

const CHANGES = [
  'dd if=/dev/zero of=/root/big bs=1M count=1', 'rm /srv/gone', 'rm -r /srv/old', 'mkdir /srv/old', 'echo new > /srv/old/new', 'echo x >> /etc/marker',
  'ln /root/big /root/hard', 'ln -s nowhere /root/soft', 'mkdir -p "/root/ä/$(seq -s- 1 60)"', 'touch "/root/ä/$(seq -s- 1 60)/f"', 'touch /root/.wh.passwd', 'echo y > /root/owned', 'chown 7:8 /root/owned', 'chmod 4750 /root/owned',
].join(' && ');
const LOOK = 'cd / && ls -lnR /srv /root && cat /etc/marker /srv/old/new';

test('what a server has changed is one layer, and a server of that image is the same', async () => {
  const spec = specOf(image);
  await rig.driver.spawn(spec);
  // busybox's ln is not among the applets of the image
  await sh(spec.server_id, `busybox() { /bin/busybox "$@"; }; for a in rm mkdir ln chown chmod; do /bin/busybox ln -s busybox /bin/$a; done; ${CHANGES}`);
  const image_id = randomUUID();
  const layer = await rig.driver.capture(spec.server_id, image_id);
  assert.deepEqual(await rig.driver.capture(spec.server_id, image_id), layer);
  assert.equal((await rig.driver.inspect(spec.server_id))!.power_state, 'running', 'it goes on');
  assert.deepEqual(await rig.driver.sendCapture(image_id), layer);
  const bytes = sent.get(image_id)!;
  assert.equal(sha256(bytes), layer.digest);
  assert.ok(layer.size > 1024 ** 2 && layer.size < 1.1 * 1024 ** 2, `${layer.size} bytes for a change of 1 MiB`);
  const copy = specOf(store.add([...lower, asLayer(bytes, 'none')]));
  const report = await rig.driver.spawn(copy);
  assert.equal(report.image_fetch?.layers_reused, 3, 'only the new layer comes to the node');
  assert.equal(await sh(copy.server_id, LOOK), (await sh(spec.server_id, LOOK)).replaceAll(/.*\.wh\.passwd\n/g, ''));
  assert.match(await sh(copy.server_id, 'ls -A /srv /srv/old'), /^\/srv:\nold\n\n\/srv\/old:\nnew\n$/);
  await rig.driver.dropCapture(image_id);
  await assert.rejects(rig.driver.sendCapture(image_id), { code: 'compute.capture-gone' });
});

test('paused and stopped servers stay so; one that changes nothing has an empty layer; a stranger is not known', async () => {
  const spec = specOf(image);
  await rig.driver.spawn(spec);
  await rig.driver.power(spec.server_id, { action: 'pause' });
  const first = await rig.driver.capture(spec.server_id, randomUUID());
  assert.ok(first.size < 16 * 1024, `${first.size} bytes for the folders that every start makes`);
  assert.equal((await rig.driver.inspect(spec.server_id))!.power_state, 'paused');
  await rig.driver.power(spec.server_id, { action: 'unpause' });
  await rig.driver.power(spec.server_id, { action: 'stop', timeout_seconds: 1 });
  assert.equal((await rig.driver.capture(spec.server_id, randomUUID())).digest, first.digest);
  assert.equal((await rig.driver.inspect(spec.server_id))!.power_state, 'shutdown');
  await assert.rejects(rig.driver.capture(randomUUID(), randomUUID()), { code: 'compute.server-unknown' });
});

test('a server that is to go does not wait for its capture, and no agent leaves one standing still', async () => {
  const spec = specOf(image);
  await rig.driver.spawn(spec);
  await sh(spec.server_id, 'dd if=/dev/zero of=/root/big bs=1M count=200');
  const image_id = randomUUID();
  const capture = rig.driver.capture(spec.server_id, image_id);
  const ended = assert.rejects(capture, { code: 'compute.capture-dropped' });
  await until('the pause', () => rig.driver.inspect(spec.server_id), (one) => one?.power_state === 'paused');
  await rig.driver.destroy(spec.server_id);
  await ended;
  assert.deepEqual(await rig.containersOf(spec.server_id), []);

  const frozen = specOf(image);
  const { container_id } = await rig.driver.spawn(frozen);
  await rig.noteFrozen(frozen.server_id);
  await rig.engine.json('POST', `/containers/${container_id}/pause`);
  const next = await rig.again();
  await until('the agent that comes next', () => next.inspect(frozen.server_id), (one) => one?.power_state === 'running');
  assert.deepEqual((await readdir(rig.state_dir)).filter((name) => name.endsWith('.tar')), []);
});

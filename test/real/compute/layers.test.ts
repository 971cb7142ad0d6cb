/** Of an image only what the node lacks crosses the network, and only what is what it says comes in. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { createRig, until, type Rig } from './harness.ts';
import { baseLayer, configOf, createLayerStore, fileLayer, type LayerImage, type LayerStore } from './layers.ts';

let rig: Rig;
let store: LayerStore;
before(async () => {
  store = createLayerStore();
  rig = await createRig(undefined, { layers: store });
});
after(async () => await rig.close());

/** A specification for a server from it; the image is removed with the rig. */
function spec({ ref }: LayerImage) {
  return rig.spec({ ref, archive: Buffer.alloc(0) });
}

function asked<T>(work: Promise<T>): Promise<{ value: T; digests: string[]; bytes: number }> {
  const [from, bytes] = [store.asked.length, store.bytes];
  return work.then((value) => ({ value, digests: store.asked.slice(from), bytes: store.bytes - bytes }));
}

async function spooled(): Promise<string[]> {
  const own = (await readdir(tmpdir())).find((name) => name.startsWith(`${rig.cloud}-`))!;
  return await readdir(join(tmpdir(), own, 'layers'));
}

for (const packing of ['none', 'gzip', 'zstd'] as const) {
  test(`a second image on the same base (${packing}) brings its own layers only`, async () => {
    const base = await baseLayer(packing, `base-${packing}-${randomUUID()}`);
    const first = store.add([base, fileLayer('etc/one', randomUUID(), packing)]);
    const whole = await asked(rig.driver.spawn(spec(first)));
    assert.equal(whole.value.power_state, 'running');
    assert.equal(whole.value.image_fetch?.layers_fetched, 2);
    assert.equal(whole.value.image_fetch?.bytes_fetched, whole.bytes);

    const [own, top] = [fileLayer('etc/two', 'second', packing), fileLayer('etc/three', 'third', packing)];
    const second = store.add([base, own, top]);
    const server = spec(second);
    const rest = await asked(rig.driver.spawn(server));
    assert.deepEqual(new Set(rest.digests), new Set([second.manifest.config.digest, own.digest, top.digest]));
    const bytes = own.blob.length + top.blob.length + second.manifest.config.size;
    assert.equal(rest.bytes, bytes);
    assert.deepEqual({ ...rest.value.image_fetch, ms: 0 }, { present: false, bytes_fetched: bytes, layers_fetched: 2, layers_reused: 1, bytes_reused: base.blob.length, ms: 0 });
    const seen = await rig.inside(server.server_id, 'sh', '-c', 'cat /etc/two /etc/three; test ! -e /etc/one && echo " whole"');
    assert.equal(seen.output, 'secondthird whole\n');
    assert.deepEqual(await spooled(), []);
  });
}

test('what was verified is remembered over a restart of the agent', async () => {
  const base = await baseLayer('gzip', randomUUID());
  await rig.driver.spawn(spec(store.add([base])));
  const again = await rig.again();
  const { digests } = await asked(again.spawn(spec(store.add([base, fileLayer('etc/x', 'x')]))));
  assert.equal(digests.includes(base.digest), false);
});

test("an image cannot have a layer of another's that it only names", async () => {
  const [base, secret] = [await baseLayer('gzip', randomUUID()), fileLayer('etc/secret', randomUUID(), 'gzip')];
  await rig.driver.spawn(spec(store.add([base, secret])));
  const own = fileLayer('etc/own', 'mine', 'gzip');
  const thief = store.add([base, { ...own, diff_id: secret.diff_id }]);
  await assert.rejects(rig.driver.spawn(spec(thief)), /a layer is not the one that its configuration names/);
  // The same blob under two names: proving one of them proves nothing of the other.
  const twice = store.add([base, { ...own, diff_id: secret.diff_id }, own]);
  await assert.rejects(rig.driver.spawn(spec(twice)), /a layer is not the one that its configuration names/);
  assert.deepEqual(await spooled(), []);
});

test('what is not as announced is refused, and nothing of it stays', async () => {
  const base = await baseLayer('none', randomUUID());
  const top = fileLayer('etc/top', randomBytes(100_000), 'gzip');
  const image = store.add([base, top]);
  const spoil = async (bytes: Buffer, message: RegExp): Promise<void> => {
    store.instead.set(top.digest, () => Readable.from([bytes], { objectMode: false }));
    await assert.rejects(rig.driver.spawn(spec(image)), message);
    assert.deepEqual(await spooled(), []);
  };
  await spoil(Buffer.concat([top.blob, Buffer.alloc(1)]), /longer than the \d+ bytes/);
  await spoil(top.blob.subarray(0, -1), /compression is damaged|bytes in place of/);
  await spoil(Buffer.concat([top.blob.subarray(0, -1), Buffer.from([top.blob.at(-1)! ^ 1])]), /compression is damaged|not what its digest says/);
  store.instead.set(top.digest, () => Readable.from((async function* () {
    yield top.blob.subarray(0, 1000);
    throw new Error('the way broke');
  })(), { objectMode: false }));
  await assert.rejects(rig.driver.spawn(spec(image)), { code: 'compute.image-fetch-failed' });
  assert.deepEqual(await spooled(), []);
  store.instead.clear();

  const silent = store.add([base, top]);
  silent.manifest.layers.forEach((layer) => (layer.diff_id = null));
  assert.equal((await rig.driver.prefetch(silent.ref)).layers_fetched, 2);
  rig.spec({ ref: silent.ref, archive: Buffer.alloc(0) });
  const lying = store.add([base, top], { config: configOf([top.diff_id, base.diff_id]) });
  await assert.rejects(rig.driver.spawn(spec(lying)), /configuration and its manifest name different layers/);
  assert.equal((await rig.driver.spawn(spec(image))).power_state, 'running');
});

test('layers come several at once, each once, however many servers wait for it', async () => {
  const base = await baseLayer('none', randomUUID());
  const layers = Array.from({ length: 6 }, (_, at) => fileLayer(`etc/part-${at}`, randomBytes(200_000)));
  const [one, two] = [store.add([base, ...layers]), store.add([base, ...layers, fileLayer('etc/end', 'two')])];
  store.widest = 0;
  const { digests } = await asked(Promise.all([one, one, two].map((image) => rig.driver.spawn(spec(image)))));
  assert.ok(store.widest > 1 && store.widest <= 8, `${store.widest} at once`);
  assert.equal(digests.filter((digest) => digest === base.digest).length, 1);
  assert.equal(digests.length, new Set(digests).size);
  assert.deepEqual(await spooled(), []);
});

test('a prefetched image is there: the server starts of it without a fetch', async () => {
  const image = store.add([await baseLayer('gzip', randomUUID())]);
  const server = spec(image);
  const fetched = await rig.driver.prefetch(image.ref);
  assert.equal(fetched.present, false);
  assert.deepEqual(await rig.driver.prefetch(image.ref), { present: true, bytes_fetched: 0, layers_fetched: 0, layers_reused: 0, bytes_reused: 0, ms: 0 });
  const { digests, value } = await asked(rig.driver.spawn(server));
  assert.deepEqual(digests, []);
  assert.equal(value.image_fetch, undefined);
});

test('what a node has is listed, and goes when it is told so unless a guest was made from it', async () => {
  const image = store.add([await baseLayer('none', randomUUID())]);
  const server = spec(image);
  const listed = async () => (await rig.driver.keptImages()).find(({ image_id }) => image_id === image.ref.id);
  assert.equal(await listed(), undefined);
  assert.equal(await rig.driver.dropImage(image.ref.id), 'absent');
  await rig.driver.prefetch(image.ref);
  await rig.driver.prefetch(image.ref);
  const kept = await listed();
  assert.ok(kept !== undefined && kept.size > 0 && kept.hits === 1 && Date.parse(kept.kept_since ?? '') > Date.now() - 600_000, JSON.stringify(kept));
  await rig.driver.spawn(server);
  assert.equal(await rig.driver.dropImage(image.ref.id), 'in-use');
  await rig.driver.destroy(server.server_id);
  assert.equal(await rig.driver.dropImage(image.ref.id), 'removed');
  assert.equal(await listed(), undefined);
});

test('layers that the engine lost between the question and the load are fetched after all', async () => {
  const base = await baseLayer('none', randomUUID());
  const first = store.add([base]);
  await rig.driver.prefetch(first.ref);
  rig.spec({ ref: first.ref, archive: Buffer.alloc(0) });
  const tag = `gantry/${rig.cloud}/${first.ref.id}:${first.ref.digest.slice(0, 32)}`;
  const top = fileLayer('etc/top', 'top');
  // While the top layer is on its way, the base goes.
  store.instead.set(top.digest, () => Readable.from((async function* () {
    await rig.engine.json('DELETE', `/images/${tag}`).catch(() => {});
    yield top.blob;
  })(), { objectMode: false }));
  const report = await rig.driver.spawn(spec(store.add([base, top])));
  store.instead.clear();
  assert.equal(report.power_state, 'running');
  assert.equal(report.image_fetch?.layers_fetched, 2);
});

test('without a manifest the whole archive comes, counted', async () => {
  const { makeImage } = await import('./harness.ts');
  const image = await makeImage({ marker: randomUUID() });
  const report = await rig.driver.spawn(rig.spec(image));
  assert.equal(report.image_fetch?.bytes_fetched, image.archive.length);
});

test('a damaged memory of verified layers costs a fetch, no more', async () => {
  const base = await baseLayer('gzip', randomUUID());
  await rig.driver.spawn(spec(store.add([base])));
  const own = (await readdir(tmpdir())).find((name) => name.startsWith(`${rig.cloud}-`))!;
  const file = join(tmpdir(), own, 'verified-layers.json');
  assert.equal(JSON.parse(await readFile(file, 'utf8'))[base.digest], base.diff_id);
  await writeFile(file, '{ torn');
  const again = await rig.again();
  const { digests } = await asked(again.spawn(spec(store.add([base, fileLayer('etc/y', 'y')]))));
  assert.equal(digests.includes(base.digest), true);
  await until('its memory', () => readFile(file, 'utf8'), (text) => text.includes(base.digest));
});

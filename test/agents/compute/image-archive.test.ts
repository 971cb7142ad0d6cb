import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { rewriteImageArchive } from '../../../src/agents/compute/drivers/docker/image-archive.ts';
import { createByteReader, endOfArchive, readContent, readEntry, writeEntry, type NewEntry } from '../../../src/kernel/tar.ts';

const TAG = 'gantry/00000000-0000-4000-8000-000000000000:aaaa';
const platform = { os: 'linux', architecture: 'amd64' };
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const tar = (...entries: NewEntry[]): Buffer => Buffer.concat([...entries.map(writeEntry), endOfArchive()]);
const json = (name: string, value: unknown): NewEntry => ({ name, content: Buffer.from(JSON.stringify(value)) });

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function rewrite(bytes: Buffer, change: { digest?: string; size?: number; chunk?: number; max_expanded_bytes?: number } = {}): Promise<Buffer> {
  const options = { tag: TAG, digest: change.digest ?? sha256(bytes), size: change.size ?? bytes.length, platform };
  const out: Buffer[] = [];
  const limit = change.max_expanded_bytes === undefined ? {} : { max_expanded_bytes: change.max_expanded_bytes };
  for await (const part of rewriteImageArchive(cut(bytes, change.chunk ?? 4096), { ...options, ...limit })) out.push(part);
  return Buffer.concat(out);
}

async function entriesOf(bytes: Buffer): Promise<{ name: string; type: string; content: Buffer }[]> {
  const reader = createByteReader(cut(bytes, 1000));
  const out = [];
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    out.push({ name: entry.name, type: entry.type, content: await readContent(reader, entry.size) });
  }
  return out;
}

async function manifestOf(bytes: Buffer): Promise<unknown> {
  const last = (await entriesOf(bytes)).at(-1);
  assert.equal(last?.name, 'manifest.json');
  return JSON.parse(last.content.toString());
}

const config = json('cfg.json', { os: 'linux' });
const layer: NewEntry = { name: 'l1/layer.tar', content: Buffer.from('layer') };
const save = (...more: NewEntry[]): Buffer => tar(config, layer, ...more, json('manifest.json', [{ Config: 'cfg.json', RepoTags: ['nginx:latest'], Layers: ['l1/layer.tar'] }]));
const wanted = [{ Config: 'cfg.json', RepoTags: [TAG], Layers: ['l1/layer.tar'] }];

test('an archive of docker save gets our tag alone, wherever its manifest stands', async () => {
  const orders = [
    save(json('repositories', { nginx: { latest: 'x' } })),
    tar(json('manifest.json', [{ Config: './cfg.json', RepoTags: ['nginx:latest'], Layers: ['l1//layer.tar'], LayerSources: { x: {} }, Parent: 'sha256:1' }]), layer, config),
  ];
  for (const bytes of orders) {
    const out = await rewrite(bytes);
    assert.deepEqual(await manifestOf(out), wanted);
    assert.deepEqual((await entriesOf(out)).map((one) => one.name).sort(), ['cfg.json', 'l1/layer.tar', 'manifest.json']);
    assert.equal(out.includes('nginx'), false);
  }
});

const blob = (value: unknown): { digest: string; entry: NewEntry } => {
  const content = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return { digest: `sha256:${sha256(content)}`, entry: { name: `blobs/sha256/${sha256(content)}`, content } };
};

function oci(): { entries: NewEntry[]; config: string; layer: string } {
  const cfg = blob({ os: 'linux' });
  const lay = blob('layer bytes');
  const image = blob({ schemaVersion: 2, config: { digest: cfg.digest }, layers: [{ digest: lay.digest }] });
  const other = blob({ schemaVersion: 2, config: { digest: `sha256:${'0'.repeat(64)}` }, layers: [] });
  const attestation = { digest: other.digest, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' }, platform: { os: 'unknown', architecture: 'unknown' } };
  const list = blob({ manifests: [{ digest: other.digest, platform: { os: 'linux', architecture: 'arm64' } }, { digest: image.digest, platform }, attestation] });
  const index = json('index.json', { manifests: [{ digest: list.digest, annotations: { 'org.opencontainers.image.ref.name': 'nginx:latest' } }] });
  return { entries: [json('oci-layout', {}), cfg.entry, lay.entry, image.entry, other.entry, list.entry, index], config: cfg.entry.name, layer: lay.entry.name };
}

test('an OCI layout is translated, in any order of its entries', async () => {
  const { entries, config: cfg, layer: lay } = oci();
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(entries, { minLength: entries.length }), async (order) => {
      const out = await rewrite(tar(...order));
      assert.deepEqual(await manifestOf(out), [{ Config: cfg, RepoTags: [TAG], Layers: [lay] }]);
      const names = new Set((await entriesOf(out)).map((one) => one.name));
      assert.equal(names.has('index.json') || names.has('oci-layout'), false);
    }),
    { numRuns: 30 },
  );
});

test('contents come through unchanged, however the stream is cut and compressed', async () => {
  const files = fc.uniqueArray(fc.record({ name: fc.stringMatching(/^[a-z0-9é/]{1,140}$/), content: fc.uint8Array({ maxLength: 3000 }) }), { selector: (one) => normal(one.name), maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(files, fc.integer({ min: 1, max: 5000 }), fc.constantFrom('plain', 'gzip', 'zstd'), async (list, chunk, how) => {
      const extra = list.filter((one) => normal(one.name) !== '' && !one.name.startsWith('/')).map((one) => ({ name: `x/${normal(one.name)}`, content: Buffer.from(one.content) }));
      const plain = save(...extra);
      const bytes = how === 'plain' ? plain : how === 'gzip' ? gzipSync(plain) : zstdCompressSync(plain);
      const out = await entriesOf(await rewrite(bytes, { chunk }));
      for (const one of extra) assert.deepEqual(out.find((entry) => entry.name === one.name)?.content, one.content);
      assert.equal(out.length, extra.length + 3);
    }),
    { numRuns: 60 },
  );
});
const normal = (name: string): string => name.split('/').filter((part) => part !== '').join('/');

test('a changed byte never reaches the manifest', async () => {
  const bytes = save();
  const digest = sha256(bytes);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Buffer.from(bytes);
      changed[at]! ^= flip;
      const seen: Buffer[] = [];
      await assert.rejects(async () => {
        for await (const part of rewriteImageArchive(cut(changed, 512), { tag: TAG, digest, size: bytes.length, platform })) seen.push(part);
      }, { name: 'TarError' });
      assert.equal(Buffer.concat(seen).includes(TAG), false);
    }),
    { numRuns: 100 },
  );
});

test('a cut archive is refused at every place', async () => {
  const bytes = save();
  for (let length = 0; length < bytes.length; length += 97) {
    const part = bytes.subarray(0, length);
    await assert.rejects(rewrite(part, { digest: sha256(bytes) }), { name: 'TarError' }, `at ${length}`);
  }
});

test('what could mislead the engine is refused with a clear text', async () => {
  const link = (name: string, to: string): NewEntry => ({ name, type: '2', link: to });
  const device = writeEntry({ name: 'dev', content: Buffer.alloc(0) });
  device.write('3', 156, 'latin1');
  resum(device);
  const sparse = Buffer.from('22 GNU.sparse.major=1\n');
  const cases: [Buffer, RegExp][] = [
    [save({ name: '../up', content: Buffer.from('x') }), /unsafe name/],
    [save({ name: '/abs', content: Buffer.from('x') }), /unsafe name/],
    [save(link('x', '.')), /link/],
    [save(link('x.tar', '/etc/shadow.tar')), /link/],
    [save(link('manifest.json', 'l1/layer.tar')), /link/],
    [save({ name: 'manifest.json/', type: '5' }), /directory/],
    [Buffer.concat([device, endOfArchive()]), /no file, link or directory/],
    [tar(config, json('manifest.json', [{ Config: 'cfg.json', Layers: ['gone.tar'] }])), /names gone.tar/],
    [tar(config, layer, json('manifest.json', [{ Config: 'cfg.json', Layers: [] }, { Config: 'l1/layer.tar', Layers: [] }])), /holds 2 images/],
    [tar(config, json('manifest.json', [{ Config: '../cfg.json', Layers: [] }])), /unsafe name/],
    [tar(json('manifest.json', {})), /names no image/],
    [tar({ name: 'manifest.json', content: Buffer.from('{') }), /not JSON/],
    [tar(json('repositories', {})), /older than 1.10/],
    [tar(layer), /neither manifest.json nor index.json/],
    [Buffer.alloc(0), /empty/],
    [Buffer.from('hello, this is no archive at all'.repeat(40)), /not a tar archive/],
    [Buffer.from('425a683931415926', 'hex'), /bzip2/],
    [Buffer.from('fd377a585a0000', 'hex'), /xz/],
    [gzipSync(save()).subarray(0, 60), /compression is damaged|ends/],
    [Buffer.concat([writeEntry({ name: 'pax', content: sparse }), endOfArchive()]), /neither/],
  ];
  for (const [bytes, reason] of cases) await assert.rejects(rewrite(bytes), (error: Error) => error.name === 'TarError' && reason.test(error.message), String(reason));
  await assert.rejects(rewrite(save(), { size: 100 }), /longer than the 100 bytes/);
  await assert.rejects(rewrite(gzipSync(save({ name: 'zeros', content: Buffer.alloc(1_000_000) })), { max_expanded_bytes: 100_000 }), /unpacks to more/);
});

function resum(header: Buffer): void {
  header.write(' '.repeat(8), 148, 'latin1');
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

test('links between layers stay', async () => {
  const out = await entriesOf(await rewrite(save({ name: 'l2/layer.tar', type: '2', link: '../l1/layer.tar' })));
  assert.equal(out.find((one) => one.name === 'l2/layer.tar')?.type, '2');
});

test('what an image asks of the engine beyond its program is taken out, however it is written', async () => {
  const asked = [
    '{"os":"linux","config":{"Env":["A=1"],"Volumes":{"/data":{}},"Healthcheck":{"Test":["CMD","x"],"Interval":1000000},"OnBuild":["RUN x"]},"container_config":{"Volumes":{"/x":{}}}}',
    '{"os":"linux","CONFIG":{"Env":["A=1"],"volumes":{"/data":{}},"healthCheck":{"Test":["CMD","x"]}}}',
    // A parser that merges what another replaces.
    '{"config":{"Volumes":{"/data":{}},"Healthcheck":{"Test":["CMD","x"]}},"os":"linux","config":{"Env":["A=1"]}}',
  ];
  for (const text of asked) {
    const bytes = tar({ name: 'cfg', content: Buffer.from(text) }, layer, json('manifest.json', [{ Config: 'cfg', Layers: ['l1/layer.tar'] }]));
    const entries = await entriesOf(await rewrite(bytes));
    const [manifest] = JSON.parse(entries.at(-1)!.content.toString());
    const seen = entries.findLast((one) => one.name === manifest.Config)!.content.toString();
    assert.equal(/volumes|healthcheck|onbuild|container_config/i.test(seen), false, seen);
    const parsed = JSON.parse(seen);
    assert.deepEqual((parsed.config ?? parsed.CONFIG).Env, ['A=1']);
    assert.equal(parsed.os, 'linux');
  }
});

test('a configuration that is not JSON, or too large to look into, is refused', async () => {
  const twice = tar(config, layer, { name: 'cfg.json', content: Buffer.from(`${' '.repeat(40)}{"config":{"Volumes":{"/x":{}}}}`) }, json('manifest.json', [{ Config: 'cfg.json', Layers: ['l1/layer.tar'] }]));
  await assert.rejects(rewrite(twice), /its configuration is not JSON, or too large/);
  for (const content of [Buffer.from('no'), Buffer.from('null'), Buffer.from(`{"x":"${'x'.repeat(2 << 20)}"}`)]) {
    const bytes = tar({ name: 'cfg.json', content }, layer, json('manifest.json', [{ Config: 'cfg.json', Layers: ['l1/layer.tar'] }]));
    await assert.rejects(rewrite(bytes), /its configuration is not JSON, or too large/);
  }
});

test('many small layers leave room for the configuration behind them', async () => {
  const layers = Array.from({ length: 20 }, (_, at) => ({ name: `blobs/sha256/${String(at).padStart(64, '0')}`, content: Buffer.alloc(1 << 20, 1) }));
  const bytes = tar(...layers, config, json('manifest.json', [{ Config: 'cfg.json', Layers: layers.map((one) => one.name) }]));
  assert.equal((await entriesOf(await rewrite(bytes))).at(-2)!.name, 'cfg.json');
});

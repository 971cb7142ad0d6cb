/** Archives that somebody made to be in the way. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { isFault } from '../../../src/kernel/fault.ts';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import { slabsOf } from '../../../src/kernel/digest/slabs.ts';
import { readArchivedImage } from '../../../src/services/image/model/image-archive.ts';
import { splitArchive } from '../../../src/services/image/model/split-archive.ts';
import { createScratch, type Scratch } from '../../../src/services/image/store/scratch.ts';
import { dockerArchive, tar } from '../../support/docker-archive.ts';

let folder: string;
let scratch: Scratch;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-archive-'));
  scratch = await createScratch(folder);
});
after(() => rm(folder, { recursive: true }));

/** The verdict on raw bytes. */
async function checkBytes(bytes: Uint8Array): Promise<unknown> {
  try {
    const split = await splitArchive(slabsOf(Readable.from([Buffer.from(bytes)])), scratch);
    await split.finish();
    try {
      await readArchivedImage(split.members);
    } finally {
      await split.discard();
    }
    return undefined;
  } catch (error) {
    return error;
  } finally {
    assert.deepEqual(await readdir(join(folder, 'incoming')), [], 'nothing stays behind');
  }
}

async function check(files: Record<string, unknown>): Promise<unknown> {
  const entries = Object.entries(files).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const);
  return checkBytes(tar(Object.fromEntries(entries)));
}

const isRefusal = (error: unknown): boolean => isFault(error) && error.status === 400 && error.code === 'image.archive-invalid';

function oci(manifest: unknown): Record<string, unknown> {
  const put = (value: unknown): [string, string] => {
    const text = JSON.stringify(value);
    return [createHash('sha256').update(text).digest('hex'), text];
  };
  const [config, configText] = put({});
  const [digest, text] = put(typeof manifest === 'object' && manifest !== null ? { config: { digest: `sha256:${config}` }, ...manifest } : manifest);
  return { 'index.json': { manifests: [{ digest: `sha256:${digest}` }] }, [`blobs/sha256/${config}`]: configText, [`blobs/sha256/${digest}`]: text };
}

test('what no node could run is refused: another system, no layers', async () => {
  const layer = tar({ hello: 'hi' });
  const archive = (config: object, layers: Record<string, Buffer>): Buffer => tar({ ...layers, 'config.json': JSON.stringify(config), 'manifest.json': JSON.stringify([{ Config: 'config.json', Layers: Object.keys(layers) }]) });
  const rootfs = { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] };
  assert.equal(await checkBytes(archive({ os: 'linux', rootfs }, { 'layer.tar': layer })), undefined);
  for (const [config, layers, words] of [[{ os: 'windows', rootfs }, { 'layer.tar': layer }, /made for windows/], [{ os: 'linux', rootfs: { diff_ids: [] } }, {}, /has no layers/]] as const) {
    const error = await checkBytes(archive(config, layers));
    assert.ok(isRefusal(error), String(error));
    assert.match((error as Error).message, words);
  }
});

test('JSON of another shape is refused with a reason, wherever it stands', async () => {
  for (const manifest of [[null], [5], [[]], null, 'x', [{ Config: null }], [{ Config: 'c', Layers: null }], [{ Config: 'c', Layers: [null] }]]) {
    assert.ok(isRefusal(await check({ 'manifest.json': manifest, c: { rootfs: { diff_ids: [] } } })), JSON.stringify(manifest));
  }
  for (const config of [null, 5, [], { rootfs: null }, { rootfs: 5 }, { rootfs: { diff_ids: 'x' } }]) {
    assert.ok(isRefusal(await check({ 'manifest.json': [{ Config: 'c', Layers: [] }], c: config })), JSON.stringify(config));
  }
  for (const manifest of [null, 5, { layers: [null] }, { layers: [5] }, { layers: [{ digest: null }] }, { layers: {} }, { config: null, layers: [] }, { config: 5, layers: [] }]) {
    assert.ok(isRefusal(await check(oci(manifest))), JSON.stringify(manifest));
  }
  for (const index of [null, 5, { manifests: [null] }, { manifests: [5] }]) assert.ok(isRefusal(await check({ 'index.json': index })), JSON.stringify(index));
});

test('whatever stands in the manifest, the answer is a refusal or a yes', async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 3 }), async (manifest, config) => {
    const error = await check({ 'manifest.json': [manifest], c: config });
    assert.ok(error === undefined || isRefusal(error), String(error));
    const other = await check({ 'manifest.json': [{ Config: 'c', Layers: [manifest] }], c: config });
    assert.ok(other === undefined || isRefusal(other), String(other));
  }), { numRuns: 60 });
});

test('an archive cut off before its last block is refused', async () => {
  const whole = dockerArchive();
  assert.equal(await checkBytes(whole), undefined);
  for (let end = 0; end < whole.length - 1536; end += 256) {
    const error = await checkBytes(whole.subarray(0, end));
    assert.ok(isRefusal(error), `${end}: ${String(error)}`);
  }
});

test('long names, and names and links that lead out', async () => {
  const long = `${'d/'.repeat(80)}layer.tar`;
  const image = (layer: string) => [
    writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify([{ Config: 'c.json', Layers: [layer] }])) }),
    writeEntry({ name: 'c.json', content: Buffer.from(JSON.stringify({ rootfs: { diff_ids: [`sha256:${createHash('sha256').update(Buffer.alloc(3)).digest('hex')}`] } })) }),
    writeEntry({ name: layer, content: Buffer.alloc(3) }),
  ];
  assert.equal(await checkBytes(Buffer.concat([...image(long), endOfArchive()])), undefined);
  for (const link of ['/etc/passwd', '../../outside']) {
    const error = await checkBytes(Buffer.concat([...image('l.tar'), writeEntry({ name: 'x', type: '2', link }), endOfArchive()]));
    assert.ok(isRefusal(error) && /points outside/.test((error as Error).message), String(error));
  }
});

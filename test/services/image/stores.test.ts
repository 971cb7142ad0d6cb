/** Further stores are looked at before the first request. */
import assert from 'node:assert/strict';
import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFileBlobs } from '../../../src/services/image/store/file-blobs.ts';
import { checkStores, createStores } from '../../../src/services/image/store/stores.ts';
import { scratchDirectory } from '../../support/scratch.ts';

test('a store whose folder cannot be one, or is that of another, is told at the start', async () => {
  const root = scratchDirectory('stores');
  const folder = join(root, 'first');
  const check = (...more: string[]) => checkStores(createStores({ id: 'local', blobs: createFileBlobs(folder), folder }, more));
  await check(`second=${join(root, 'second/deep')}`);
  assert.ok(existsSync(join(root, 'second/deep')));
  writeFileSync(join(root, 'file'), '');
  await assert.rejects(check(`second=${join(root, 'file')}`), /the folder of the store second cannot be used/);
  await assert.rejects(check(`second=${join(root, 'file/below')}`), /the folder of the store second cannot be used/);
  symlinkSync(folder, join(root, 'link'));
  await assert.rejects(check(`second=${join(root, 'link')}`), /the stores local and second have the same folder/);
});

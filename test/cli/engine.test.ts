import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineAnswers } from '../../src/cli/docker.ts';
import { CliError } from '../../src/cli/errors.ts';
import type { Settings } from '../../src/cli/settings.ts';
import type { UpContext } from '../../src/cli/up/context.ts';
import { ensureEngine } from '../../src/cli/up/engine.ts';
import { parseConfig } from '../../src/kernel/config/config.ts';
import { scratchDirectory } from '../support/scratch.ts';

test('an engine of our own never takes the socket away from another one', async (t) => {
  const data_dir = scratchDirectory('engine');
  const docker_socket = join(data_dir, 'docker.sock');
  const other = createServer((_request, response) => response.end('OK')).listen(docker_socket);
  t.after(() => other.close());
  mkdirSync(join(data_dir, 'engine'));
  writeFileSync(join(data_dir, 'engine', 'daemon.json'), '{}');
  const config = parseConfig(`[agent]\ndocker_socket = "${docker_socket}"\n`, { file: join(data_dir, 'gantry.toml'), env: {}, other_sections: 'ignore' });
  const settings: Settings = { config, config_file: join(data_dir, 'gantry.toml'), data_dir, exists: true, checkout: data_dir };
  const context = { settings, undo: [], say: () => {}, signal: new AbortController().signal } as unknown as UpContext;
  await assert.rejects(ensureEngine(context), (error) => error instanceof CliError && error.reason === 'GY-DOCKER-007');
  assert.ok(await engineAnswers(docker_socket), 'it answers as before');
  assert.deepEqual(context.undo, []);
});

/** The layers of the architecture, read off the import lines: who may know whom. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../../src');

type Place = { layer: string; owner: string; path: string };

/** Which layer a file belongs to, and whose it is (a service, an agent role). */
function placeOf(path: string): Place {
  const [top, owner = '', folder = ''] = path.split('/');
  if (top === 'kernel') return { layer: 'kernel', owner: '', path };
  if (top === 'agents') {
    if (path.split('/').length === 2) return { layer: 'root', owner: '', path };
    return { layer: /^(.+-)?protocol\.ts$/.test(folder) ? 'protocol' : 'agent', owner, path };
  }
  if (top === 'services') {
    if (folder === 'client.ts') return { layer: 'client', owner, path };
    return { layer: ['api', 'model', 'store', 'tasks', 'jobs'].includes(folder) ? folder : 'service', owner, path };
  }
  return { layer: 'root', owner: '', path };
}

const OWN = ['service', 'client'];
/** layer → layers of the same owner, and layers of anybody, that it may import. `service` is the files at a service's own root. */
const MAY: Record<string, { own: string[]; any: string[] }> = {
  kernel: { own: [], any: ['kernel'] },
  protocol: { own: [], any: ['kernel', 'protocol'] },
  client: { own: [], any: ['kernel', 'protocol'] },
  store: { own: ['store', ...OWN], any: ['kernel'] },
  model: { own: ['model', 'store', ...OWN], any: ['kernel', 'client', 'protocol'] },
  tasks: { own: ['tasks', 'model', 'store', ...OWN], any: ['kernel', 'client', 'protocol'] },
  jobs: { own: ['jobs', 'tasks', 'model', 'store', ...OWN], any: ['kernel', 'client', 'protocol'] },
  api: { own: ['api', 'model', 'store', ...OWN], any: ['kernel', 'client', 'protocol'] },
  service: { own: ['api', 'model', 'store', 'tasks', 'jobs', ...OWN], any: ['kernel', 'client', 'protocol'] },
  agent: { own: ['agent'], any: ['kernel', 'protocol'] },
};

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)[^'"]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g)]
    .map(([, named, dynamic]) => relative(root, resolve(root, dirname(path), named ?? dynamic!)));
}

function allowed(from: Place, to: Place): boolean {
  const rule = MAY[from.layer];
  if (!rule || from.layer === 'root') return true;
  return rule.any.includes(to.layer) || (from.owner === to.owner && rule.own.includes(to.layer));
}

test('every import stays within its layer', () => {
  const files = filesBelow(root);
  assert.ok(files.length > 50, 'the sources were found');
  const wrong = files.flatMap((path) =>
    importsOf(path)
      .filter((target) => !allowed(placeOf(path), placeOf(target)))
      .map((target) => `${path} must not import ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('SQL stays in the stores', () => {
  const outside = filesBelow(root).filter((path) => {
    const { layer } = placeOf(path);
    if (!['api', 'model', 'tasks', 'jobs', 'agent'].includes(layer)) return false;
    return /\.(selectFrom|insertInto|updateTable|deleteFrom)\(|\bsql`/.test(readFileSync(join(root, path), 'utf8'));
  });
  assert.deepEqual(outside, []);
});

test('the clock, the environment and the log come with the context', () => {
  const outside = filesBelow(root).filter((path) => {
    const { layer } = placeOf(path);
    if (!['api', 'model', 'store', 'tasks', 'jobs'].includes(layer)) return false;
    return /\bnew Date\(\)|\bDate\.now\(\)|\bprocess\.env\b|\bconsole\./.test(readFileSync(join(root, path), 'utf8'));
  });
  assert.deepEqual(outside, []);
});

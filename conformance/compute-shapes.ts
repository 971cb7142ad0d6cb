/**
 * Reads the published samples of the Compute API out of a clone of nova and writes down the facts of each answer: which keys it has, of which
 * types, from which microversion on. `node conformance/compute-shapes.ts GIT_DIR [--out FILE]`; the file is what the microversion test compares with.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Shape, shapeOf } from '../test/support/shape.ts';

function git(dir: string, ...args: string[]): string {
  return execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });
}

/** `v2.53` as 53; a sample without a version is of 2.1. */
const minor = (folder: string | undefined): number => (folder === undefined ? 1 : Number(folder.slice('v2.'.length)));

const isAnswer = (file: string): boolean => /resp|-res$|get|index|list|server-rescue$/.test(file) && !/-req\b/.test(file);

function read(dir: string): Map<string, Map<number, Shape>> {
  const out = new Map<string, Map<number, Shape>>();
  for (const path of git(dir, 'ls-tree', '-r', '--name-only', 'HEAD', 'doc/api_samples').trim().split('\n')) {
    const parts = path.split('/').slice(2);
    const file = parts.at(-1)!.replace(/\.json$/, '');
    if (!isAnswer(file)) continue;
    const name = `${parts[0]}/${file}`;
    const shapes = out.get(name) ?? new Map<number, Shape>();
    shapes.set(minor(parts.length > 2 ? parts[1] : undefined), shapeOf(JSON.parse(git(dir, 'show', `HEAD:${path}`))));
    out.set(name, shapes);
  }
  return out;
}

/** By version: what is there from it on, and null for what is not any more. */
function changes(shapes: ReadonlyMap<number, Shape>): Record<string, Record<string, string | null>> {
  const out: Record<string, Record<string, string | null>> = {};
  let before: Shape = {};
  for (const [version, shape] of [...shapes].sort(([a], [b]) => a - b)) {
    const gone = Object.keys(before).filter((path) => !(path in shape)).map((path) => [path, null] as const);
    const fresh = Object.entries(shape).filter(([path, type]) => before[path] !== type);
    if (gone.length + fresh.length > 0) out[version] = Object.fromEntries([...gone, ...fresh]);
    before = shape;
  }
  return out;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string', default: join(import.meta.dirname, '../test/api/compute/microversions/nova-shapes.json') } } });
if (positionals.length !== 1) throw new Error('the path of a git directory of nova is needed');
const lines = [...read(positionals[0]!)].map(([name, shapes]) => `${JSON.stringify(name)}: ${JSON.stringify(changes(shapes))}`);
writeFileSync(values.out, `{\n${lines.join(',\n')}\n}\n`);
console.log(`${lines.length} samples in ${values.out}`);

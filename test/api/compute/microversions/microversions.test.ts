/** Every call of the Compute API at every microversion, from the newest down to 2.1, beside the published samples of that version. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { differences, type Shape, shapeOf } from '../../../support/shape.ts';
import type { Case } from './case.ts';
import { resourceCases } from './resource-cases.ts';
import { serverCases } from './server-cases.ts';
import { goneCases } from './gone-cases.ts';
import { versionWorld, type VersionWorld } from './world.ts';

type Changes = Record<string, Record<string, string | null>>;

const samples = JSON.parse(readFileSync(join(import.meta.dirname, 'nova-shapes.json'), 'utf8')) as Record<string, Changes>;
const cases = { ...resourceCases, ...serverCases, ...goneCases };

let world: VersionWorld;
let close: () => Promise<void>;
before(async () => {
  world = await versionWorld((how) => {
    close = how;
  });
});
after(() => close?.());

test('each published sample has its case, or a reason why there is none', () => {
  assert.deepEqual(Object.keys(samples).filter((name) => !(name in cases)), []);
  assert.deepEqual(Object.keys(cases).filter((name) => !(name in samples)), []);
});

/** The sample as it is at each version at which it changes. */
function shapesOf(name: string, skip: readonly number[] = []): [minor: number, shape: Shape][] {
  let shape: Record<string, string | null> = {};
  return Object.entries(samples[name]!).map(([minor, changes]): [number, Shape] => {
    shape = Object.fromEntries(Object.entries({ ...shape, ...changes }).filter(([, type]) => type !== null));
    return [Number(minor), shape as Shape];
  }).filter(([minor]) => !skip.includes(minor));
}

for (const [name, one] of Object.entries(cases)) {
  if (typeof one === 'string') continue;
  test(name, async () => {
    const shapes = shapesOf(name, one.skip);
    const first = one.since ?? shapes[0]![0];
    const found = new Map<string, number[]>();
    for (let minor = world.newest; minor >= 1; minor--) {
      if (one.at?.includes(minor) === false) continue;
      const there = minor >= first && minor <= (one.until ?? world.newest);
      for (const problem of there ? await compare(one, shapes, minor) : await absent(one, minor)) found.set(problem, [...(found.get(problem) ?? []), minor]);
    }
    assert.deepEqual([...found].map(([problem, minors]) => `${problem} (2.${minors.at(-1)} to 2.${minors[0]})`), []);
  });
}

async function perform({ method, path, body, who }: Case, minor: number) {
  return await world.call(method, typeof path === 'string' ? path : await path(world, minor), minor, body?.(world, minor), who?.(minor));
}

async function compare(one: Case, shapes: [number, Shape][], minor: number): Promise<string[]> {
  const answer = await perform(one, minor);
  if (answer.status >= 300) return [`${answer.status} ${answer.text}`];
  const shape = shapes.findLast(([since]) => since <= minor)?.[1] ?? shapes[0]![1];
  const forgiven = (one.forgive ?? []).filter(([, , from = 1, to = world.newest]) => minor >= from && minor <= to).map(([pattern]) => pattern);
  await one.after?.(world, answer.json, minor);
  return differences(shapeOf(answer.json), shape).filter((difference) => !forgiven.some((pattern) => pattern.test(difference)));
}

async function absent(one: Case, minor: number): Promise<string[]> {
  if (one.method !== 'GET' || one.older === true) return [];
  const { status } = await perform(one, minor);
  return status === 404 ? [] : [`${status} where the call is not there`];
}

/**
 * Every row of Nova's support matrix, performed on a running server; docs/reference/support-matrix.md says what came out, and is
 * written anew with GANTRY_WRITE_REFERENCE=1.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Row, rows } from './matrix/rows.ts';
import { type MatrixWorld, startMatrixWorld } from './matrix/world.ts';

const PAGE = join(import.meta.dirname, '../../../docs/reference/support-matrix.md');
let world: MatrixWorld;
let server: string;
const said = new Map<string, string>();

before(async () => {
  world = await startMatrixWorld();
  server = await world.boot();
});
after(() => world?.cloud.stop());

test('the matrix has its 59 rows', () => {
  assert.equal(new Set(rows.map(({ key }) => key)).size, 59);
});

for (const row of rows) {
  test(`${row.key} ${row.outcome === 'works' ? 'works' : 'is refused'}`, async () => {
    const words = await row.perform(world, server);
    if (row.outcome === 'refused') assert.ok(typeof words === 'string' && words.length > 10);
    said.set(row.key, words ?? '');
  });
}

const plain = (words: string): string => words.replaceAll(server, 'ID').replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID').replaceAll('|', '\\|').replaceAll('\n', ' ');
const line = ({ key, title, outcome, how }: Row): string => `| \`${key}\` | ${title} | ${outcome} | ${how}${outcome === 'works' ? '' : `: "${plain(said.get(key) ?? '')}"`} |`;

function page(): string {
  const works = rows.filter(({ outcome }) => outcome === 'works').length;
  return [
    '# The support matrix of compute', '',
    `Nova's ${rows.length} rows, each performed on a running server by \`test/real/cloud/support-matrix.test.ts\`, which writes this page: **${works} work**, ${rows.length - works} are refused, in these words.`, '',
    '| row | what | here | how, or why not |', '| --- | --- | --- | --- |', ...[...rows].sort((a, b) => (a.key < b.key ? -1 : 1)).map(line), '',
  ].join('\n');
}

test('the page says what came out', () => {
  if (process.env['GANTRY_WRITE_REFERENCE'] === '1') writeFileSync(PAGE, page());
  assert.equal(readFileSync(PAGE, 'utf8'), page());
});

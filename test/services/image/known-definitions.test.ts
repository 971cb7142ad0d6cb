import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { VersionedSchema } from '../../../src/kernel/api/schema.ts';
import { namespaceBody } from '../../../src/services/image/model/metadefs/bodies.ts';
import { knownDefinitions } from '../../../src/services/image/model/metadefs/load-known.ts';

test('every well-known definition is one that a client could have sent', () => {
  const schema = new VersionedSchema(namespaceBody);
  for (const definition of knownDefinitions) assert.equal(schema.check(definition), undefined, definition.namespace);
  const names = knownDefinitions.map(({ namespace }) => namespace);
  assert.equal(new Set(names).size, names.length);
});

test('a default fits its own definition', () => {
  for (const { namespace, properties = {}, objects = [] } of knownDefinitions) {
    for (const [name, property] of [...Object.entries(properties), ...objects.flatMap((object) => Object.entries(object.properties ?? {}))]) {
      if (property.default === undefined) continue;
      if (property.enum) assert.ok(property.enum.includes(property.default), `${namespace} ${name}`);
      if (property.type === 'integer') assert.ok(Number.isInteger(property.default) && (property.default as number) >= (property.minimum ?? -Infinity) && (property.default as number) <= (property.maximum ?? Infinity), `${namespace} ${name}`);
    }
  }
});

test('the page about them names them all', () => {
  const page = readFileSync(new URL('../../../docs/metadata-definitions.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), knownDefinitions.map(({ namespace }) => namespace).sort());
});

/** The catalogue of metadata definitions, over HTTP. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
before(async () => {
  cloud = await startTestCloud();
  mine = await cloud.tenant('mine');
});
after(() => cloud.stop());

const ROOT = '/image/v2/metadefs';
type Options = Parameters<TestCloud['call']>[2];

async function ask(status: number, method: string, path: string, options: Options = {}): Promise<any> {
  const answer = await cloud.call(method, `${ROOT}${path}`, { headers: { accept: 'application/json' }, ...options });
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  return answer.json;
}

const get = (path: string, status = 200) => ask(status, 'GET', path);
const post = (path: string, body: unknown, status = 201) => ask(status, 'POST', path, { body });
const put = (path: string, body: unknown, status = 200) => ask(status, 'PUT', path, { body });
const del = (path: string, status = 204) => ask(status, 'DELETE', path);
const names = (items: { name: string }[]): string[] => items.map(({ name }) => name);

const FULL = {
  display_name: 'Full', description: 'All there can be', visibility: 'public',
  resource_type_associations: [{ name: 'OS::Test::Volume', prefix: 'vol_', properties_target: 'image' }, { name: 'OS::Test::Server' }],
  properties: { colour: { title: 'Colour', type: 'string', enum: ['red', 'blue'], default: 'red' }, size: { title: 'Size', type: 'integer', minimum: 1 } },
  objects: [{ name: 'Engine', description: 'What drives it', required: ['power'], properties: { power: { title: 'Power', type: 'number' } } }, { name: 'Body' }],
  tags: [{ name: 'fast' }, { name: 'slow' }],
};

test('a namespace comes with all its definitions, and goes with them', async () => {
  const made = await post('/namespaces', { namespace: 'Full', ...FULL });
  assert.equal(made.self, '/v2/metadefs/namespaces/Full');
  assert.equal(made.schema, '/v2/schemas/metadefs/namespace');
  assert.equal(made.protected, false);
  assert.deepEqual(made.tags, FULL.tags);
  const shown = await get('/namespaces/Full');
  assert.deepEqual(shown.properties, FULL.properties);
  assert.deepEqual(names(shown.objects), ['Body', 'Engine']);
  const [body, engine] = shown.objects;
  assert.deepEqual([engine.required, engine.properties, engine.description], [['power'], FULL.objects[0]!.properties, 'What drives it']);
  assert.deepEqual([body.required, body.properties, body.description, body.self], [[], {}, undefined, '/v2/metadefs/namespaces/Full/objects/Body']);
  assert.deepEqual(shown.tags, FULL.tags);
  const [server, volume] = shown.resource_type_associations;
  assert.deepEqual([server.name, server.prefix, volume.prefix, volume.properties_target], ['OS::Test::Server', undefined, 'vol_', 'image']);
  await del('/namespaces/Full');
  await get('/namespaces/Full', 404);
  assert.ok(names((await get('/resource_types')).resource_types).includes('OS::Test::Volume'), 'a resource type outlives the namespace that named it');
});

test('the properties of a resource type carry its prefix', async () => {
  await post('/namespaces', { namespace: 'Prefixed', ...FULL });
  const shown = await get('/namespaces/Prefixed?resource_type=OS::Test::Volume');
  assert.deepEqual(Object.keys(shown.properties).sort(), ['vol_colour', 'vol_size']);
  const engine = shown.objects.find(({ name }: { name: string }) => name === 'Engine');
  assert.deepEqual([engine.required, Object.keys(engine.properties)], [['vol_power'], ['vol_power']]);
  assert.deepEqual(Object.keys((await get('/namespaces/Prefixed?resource_type=OS::Test::Server')).properties).sort(), ['colour', 'size']);
  assert.equal((await get('/namespaces/Prefixed/properties/vol_colour?resource_type=OS::Test::Volume')).name, 'colour');
  await get('/namespaces/Prefixed/properties/colour?resource_type=OS::Test::Volume', 404);
  await get('/namespaces/Prefixed/properties/colour?resource_type=OS::Test::Server', 404);
  await get('/namespaces/Prefixed/properties/colour?resource_type=OS::None', 404);
  assert.equal((await get('/namespaces/Prefixed/properties/colour')).title, 'Colour');
});

test('objects, properties and tags are made, changed, renamed and deleted one by one', async () => {
  await post('/namespaces', { namespace: 'Parts' });
  const cases = [
    ['objects', { name: 'one', required: ['a'] }, { name: 'two', description: 'new' }],
    ['properties', { name: 'one', title: 'One', type: 'string', maxLength: 5 }, { name: 'two', title: 'Two', type: 'array', items: { type: 'string' } }],
    ['tags', undefined, { name: 'two' }],
  ] as const;
  for (const [plural, first, second] of cases) {
    const path = `/namespaces/Parts/${plural}`;
    await (first === undefined ? ask(201, 'POST', `${path}/one`) : post(path, first));
    await (first === undefined ? ask(409, 'POST', `${path}/one`) : post(path, first, 409));
    assert.equal((await get(`${path}/one`)).name, 'one');
    assert.equal((await put(`${path}/one`, second)).name, 'two');
    await get(`${path}/one`, 404);
    const shown = await get(`${path}/two`);
    for (const [field, value] of Object.entries(second)) assert.deepEqual(shown[field], value, `${plural} ${field}`);
    assert.equal(shown.maxLength, undefined, 'what is left out is gone');
    await put(`${path}/one`, second, 404);
    await (plural === 'tags' ? ask(201, 'POST', `${path}/three`) : post(path, { title: 'T', type: 'string', ...second, name: 'three' }, plural === 'properties' ? 201 : 400));
    await del(`${path}/two`);
    await del(`${path}/two`, 404);
  }
  await put('/namespaces/Parts/tags/three', { name: 'four' });
  assert.deepEqual((await get('/namespaces/Parts')).tags, [{ name: 'four' }]);
});

test('tags are set all at once, or more beside them', async () => {
  await post('/namespaces', { namespace: 'Tagged' });
  const path = '/namespaces/Tagged/tags';
  const set = (tags: string[], append?: string, status = 201) => ask(status, 'POST', path, { body: { tags: tags.map((name) => ({ name })) }, ...(append === undefined ? {} : { headers: { 'x-openstack-append': append } }) });
  const now = async (): Promise<string[]> => names((await get(path)).tags).sort();
  assert.deepEqual((await set(['a', 'b'])).tags, [{ name: 'a' }, { name: 'b' }]);
  await set(['b', 'c']);
  assert.deepEqual(await now(), ['b', 'c']);
  await set(['d'], 'True');
  assert.deepEqual(await now(), ['b', 'c', 'd']);
  await set(['e', 'b'], 'True', 409);
  await set(['x', 'x'], undefined, 409);
  assert.deepEqual(await now(), ['b', 'c', 'd'], 'all or nothing');
  await set([]);
  assert.deepEqual(await now(), ['b', 'c', 'd'], 'an empty list changes nothing');
  assert.deepEqual(names((await get(`${path}?sort_key=name&sort_dir=asc&limit=2`)).tags), ['b', 'c']);
  assert.deepEqual(names((await get(`${path}?sort_key=name&sort_dir=asc&marker=c`)).tags), ['d']);
  await get(`${path}?marker=nothing`, 404);
  await del(path);
  assert.deepEqual(await now(), []);
});

test('namespaces page, sort and filter', async () => {
  for (const one of ['A', 'B', 'C']) await post('/namespaces', { namespace: `List::${one}`, visibility: one === 'B' ? 'private' : 'public', resource_type_associations: [{ name: one === 'C' ? 'OS::List::Odd' : 'OS::List::Even' }] });
  const list = async (query: string): Promise<string[]> => (await get(`/namespaces?${query}`)).namespaces.map((one: { namespace: string }) => one.namespace);
  const only = 'resource_types=OS::List::Odd,OS::List::Even';
  assert.deepEqual(await list(only), ['List::C', 'List::B', 'List::A'], 'newest first');
  assert.deepEqual(await list(`${only}&sort_key=namespace&sort_dir=asc`), ['List::A', 'List::B', 'List::C']);
  assert.deepEqual(await list('resource_types=OS::List::Even'), ['List::B', 'List::A']);
  assert.deepEqual(await list(`${only}&visibility=private`), ['List::B']);
  for (const key of ['namespace', 'display_name', 'visibility', 'protected', 'owner', 'created_at', 'updated_at']) {
    const first = await get(`/namespaces?${only}&sort_key=${key}&limit=2`);
    const second = await get(first.next.slice('/v2/metadefs'.length));
    assert.deepEqual([...first.namespaces, ...second.namespaces].map((one) => one.namespace).sort(), ['List::A', 'List::B', 'List::C'], key);
    assert.equal(second.next, undefined);
    assert.match(second.first, /^\/v2\/metadefs\/namespaces\?resource_types=/);
  }
  assert.deepEqual((await get(`/namespaces?${only}&limit=1`)).namespaces[0].resource_type_associations.map(({ name }: { name: string }) => name), ['OS::List::Odd']);
  for (const query of ['limit=-1', 'limit=x', 'sort_dir=up', 'sort_key=id', 'visibility=shared']) await get(`/namespaces?${query}`, 400);
  await get('/namespaces?marker=nothing', 404);
});

test('a namespace is renamed and rewritten; what is left out falls back', async () => {
  const made = await post('/namespaces', { namespace: 'Old', display_name: 'Old', visibility: 'public', protected: true, owner: 'somebody', tags: [{ name: 'kept' }] });
  assert.equal(made.owner, 'somebody');
  const next = await put('/namespaces/Old', { namespace: 'New' });
  assert.deepEqual([next.namespace, next.display_name, next.visibility, next.protected], ['New', undefined, 'private', false]);
  assert.notEqual(next.owner, 'somebody');
  await get('/namespaces/Old', 404);
  assert.deepEqual((await get('/namespaces/New')).tags, [{ name: 'kept' }]);
  await post('/namespaces', { namespace: 'Old' });
  await put('/namespaces/Old', { namespace: 'New' }, 409);
  await post('/namespaces', { namespace: 'New' }, 409);
});

test('a namespace can be sent back as it was shown, as clients do, with the times of what is in it', async () => {
  await post('/namespaces', { namespace: 'Echo', ...FULL });
  const { self: _self, schema: _schema, created_at: _created, updated_at: _updated, ...shown } = await get('/namespaces/Echo');
  const changed = await put('/namespaces/Echo', { ...shown, display_name: 'Echoed' });
  assert.equal(changed.display_name, 'Echoed');
  assert.deepEqual(names((await get('/namespaces/Echo')).objects), ['Body', 'Engine']);
  await del('/namespaces/Echo');
});

test('a protected namespace stays, and so does what is in it', async () => {
  await post('/namespaces', { namespace: 'Kept', ...FULL, protected: true });
  const refused = await ask(403, 'DELETE', '/namespaces/Kept');
  assert.match(refused.message, /Kept is protected and cannot be deleted/);
  for (const path of ['objects', 'properties', 'tags', 'objects/Engine', 'properties/colour', 'tags/fast', 'resource_types/OS::Test::Server']) await del(`/namespaces/Kept/${path}`, 403);
  const shown = await get('/namespaces/Kept');
  assert.equal(shown.objects.length + shown.tags.length + Object.keys(shown.properties).length + shown.resource_type_associations.length, 8);
  await put('/namespaces/Kept', { namespace: 'Kept', protected: false });
  for (const path of ['objects', 'properties', 'tags', 'resource_types/OS::Test::Server']) await del(`/namespaces/Kept/${path}`);
  const emptied = await get('/namespaces/Kept');
  assert.deepEqual([emptied.objects, emptied.properties, emptied.tags, emptied.resource_type_associations.length], [undefined, undefined, undefined, 1]);
});

test('resource types are associated once, and no longer', async () => {
  await post('/namespaces', { namespace: 'Assoc' });
  const path = '/namespaces/Assoc/resource_types';
  const made = await post(path, { name: 'OS::Assoc::One', prefix: 'p:' });
  assert.deepEqual([made.name, made.prefix, made.properties_target], ['OS::Assoc::One', 'p:', undefined]);
  await post(path, { name: 'OS::Assoc::One' }, 409);
  assert.deepEqual(names((await get(path)).resource_type_associations), ['OS::Assoc::One']);
  await del(`${path}/OS::Assoc::One`);
  await del(`${path}/OS::Assoc::One`, 404);
  assert.deepEqual((await get(path)).resource_type_associations, []);
});

test('bad bodies are refused and change nothing', async () => {
  await post('/namespaces', { namespace: 'Strict' });
  const property = { title: 'T', type: 'string' };
  const namespaces: unknown[] = [
    {}, [], { namespace: '' }, { namespace: 'x'.repeat(81) }, { namespace: 'Bad', visibility: 'shared' }, { namespace: 'Bad', protected: 'yes' }, { namespace: 'Bad', colour: 1 },
    { namespace: 'Bad', description: 'x'.repeat(501) }, { namespace: 'Bad\u0000' }, { namespace: 'Bad', properties: { a: { title: 'no type' } } }, { namespace: 'Bad', properties: { a: { ...property, type: 'float' } } },
    { namespace: 'Bad', objects: [{ description: 'no name' }] }, { namespace: 'Bad', tags: ['x'] }, { namespace: 'Bad', resource_type_associations: [{ prefix: 'x' }] }, { namespace: 'Bad', owner: null },
  ];
  for (const body of namespaces) await post('/namespaces', body, 400);
  await post('/namespaces', { namespace: 'Bad', tags: [{ name: 'x' }, { name: 'x' }] }, 409);
  await get('/namespaces/Bad', 404);
  for (const field of ['self', 'schema', 'created_at', 'updated_at']) {
    await post('/namespaces', { namespace: 'Bad', [field]: 'x' }, 403);
    await post('/namespaces/Strict/objects', { name: 'Bad', [field]: 'x' }, 403);
  }
  const parts: [string, unknown][] = [
    ['objects', {}], ['objects', { name: 'a', required: ['x', 'x'] }], ['objects', { name: 'a', properties: { b: { ...property, odd: 1 } } }],
    ['properties', property], ['properties', { ...property, name: 'a', minLength: -1 }], ['properties', { ...property, name: 'a', enum: 'x' }], ['properties', { ...property, name: 'a', items: { type: 'odd' } }],
    ['tags', { tags: [{ name: 'a', odd: 1 }] }], ['tags', { tags: [{}] }], ['tags', { tags: 'a' }], ['resource_types', {}], ['resource_types', { name: 'x'.repeat(81) }],
  ];
  for (const [plural, body] of parts) await post(`/namespaces/Strict/${plural}`, body, 400);
  await ask(400, 'POST', `/namespaces/Strict/tags/${'x'.repeat(81)}`);
  const shown = await get('/namespaces/Strict');
  assert.deepEqual([shown.objects, shown.properties, shown.tags, shown.resource_type_associations], [undefined, undefined, undefined, undefined]);
  await post('/namespaces', { namespace: 'Crowded', tags: Array.from({ length: 1001 }, (_, at) => ({ name: `t${at}` })) }, 413);
  await get('/namespaces/Crowded', 404);
});

test('projects read what is public or theirs; only administrators write', async () => {
  await post('/namespaces', { namespace: 'Public', ...FULL });
  await post('/namespaces', { namespace: 'Theirs', visibility: 'private', owner: mine.project_id, tags: [{ name: 'a' }] });
  await post('/namespaces', { namespace: 'Foreign', ...FULL, visibility: 'private' });
  const asMe = { token: mine.token };
  const seen = (await ask(200, 'GET', '/namespaces?limit=1000', asMe)).namespaces.map((one: { namespace: string }) => one.namespace);
  assert.deepEqual([seen.includes('Public'), seen.includes('Theirs'), seen.includes('Foreign')], [true, true, false]);
  await ask(404, 'GET', '/namespaces?marker=Foreign', asMe);
  const reads = ['', '/objects', '/properties', '/tags', '/resource_types', '/objects/Engine', '/properties/colour', '/tags/fast'];
  for (const path of reads) {
    await ask(200, 'GET', `/namespaces/Public${path}`, asMe);
    await ask(404, 'GET', `/namespaces/Foreign${path}`, asMe);
  }
  await ask(200, 'GET', '/namespaces/Theirs', asMe);
  const property = { name: 'x', title: 'X', type: 'string' };
  const writes: [string, string, unknown?][] = [
    ['PUT', '', { namespace: 'Mine' }], ['DELETE', ''], ['POST', '/objects', { name: 'x' }], ['PUT', '/objects/Engine', { name: 'x' }], ['DELETE', '/objects/Engine'], ['DELETE', '/objects'],
    ['POST', '/properties', property], ['PUT', '/properties/colour', property], ['DELETE', '/properties/colour'], ['DELETE', '/properties'],
    ['POST', '/tags', { tags: [] }], ['POST', '/tags/x'], ['PUT', '/tags/fast', { name: 'x' }], ['DELETE', '/tags/fast'], ['DELETE', '/tags'],
    ['POST', '/resource_types', { name: 'x' }], ['DELETE', '/resource_types/OS::Test::Server'],
  ];
  for (const [method, path, body] of writes) {
    const options = body === undefined ? asMe : { ...asMe, body };
    await ask(403, method, `/namespaces/Public${path}`, options);
    await ask(404, method, `/namespaces/Foreign${path}`, options);
  }
  await ask(403, 'POST', '/namespaces', { ...asMe, body: { namespace: 'Mine' } });
  const bare = await cloud.tenant('without-role', ['service']);
  await ask(404, 'GET', '/namespaces/Public', { token: bare.token });
  await ask(403, 'GET', '/namespaces', { token: bare.token });
});

test('the schemas say what a definition looks like', async () => {
  const schema = async (name: string) => (await cloud.call('GET', `/image/v2/schemas/metadefs/${name}`, { token: mine.token })).json;
  const shape: Record<string, string> = {
    namespace: 'namespace', namespaces: 'namespaces', object: 'object', objects: 'objects', property: 'property', properties: 'properties',
    tag: 'tag', tags: 'tags', resource_type: 'resource_type_association', resource_types: 'resource_type_associations',
  };
  for (const [path, name] of Object.entries(shape)) {
    const found = await schema(path);
    assert.equal(found.name, name);
    for (const reference of JSON.stringify(found).matchAll(/#\/definitions\/(\w+)/g)) assert.ok(found.definitions[reference[1]!], `${path}: ${reference[1]}`);
  }
  const made = await post('/namespaces', { namespace: 'Shaped', ...FULL });
  const known = Object.keys((await schema('namespace')).properties);
  assert.deepEqual(Object.keys(made).filter((field) => !known.includes(field)), []);
});

test('the well-known definitions are there from the start, and the operator has the last word on them', async () => {
  const wanted = ['OS::Compute::Quota', 'OS::Glance::CommonImageProperties', 'OS::OperatingSystem', 'OS::Software::DBMS', 'Gantry::Docker'];
  for (const namespace of wanted) assert.equal((await get(`/namespaces/${namespace}`)).visibility, 'public', namespace);
  assert.equal((await get('/namespaces/Gantry::Docker/properties/docker:cmd')).type, 'string');
  assert.ok(names((await get('/resource_types')).resource_types).includes('OS::Nova::Flavor'));
  const unprotected = { visibility: 'public', protected: false };
  await put('/namespaces/OS::OperatingSystem', { namespace: 'OS::OperatingSystem', display_name: 'Ours', ...unprotected });
  await put('/namespaces/OS::Software::DBMS', { namespace: 'OS::Software::DBMS', ...unprotected });
  await del('/namespaces/OS::Software::DBMS');
  await cloud.stop();
  cloud = await cloud.restart();
  assert.equal((await get('/namespaces/OS::OperatingSystem')).display_name, 'Ours');
  await get('/namespaces/OS::Software::DBMS', 404);
  await get('/namespaces/OS::Compute::Quota');
});

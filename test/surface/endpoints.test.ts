/** What holds for every endpoint of every service, read off the declarations and asked of a running controller. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { Endpoint } from '../../src/kernel/api/endpoint.ts';
import { baseRules } from '../../src/kernel/policy/base-rules.ts';
import type { Surface } from '../../src/kernel/service.ts';
import { startTestCloud, type TestCloud } from '../support/cloud.ts';
import { POLICY_REFERENCE, renderPolicies } from '../support/reference.ts';
import { request } from '../support/surface.ts';

/** Calls that need no token: each is a decision. */
const PUBLIC = /^(identity:)?(list_versions|get_version|authenticate|create_request_token|create_access_token|versions|healthcheck|root|openapi|change_password|console-page|console-asset)/;

let cloud: TestCloud;
before(async () => { cloud = await startTestCloud(); });
after(() => cloud.stop());

function all(): { surface: Surface; endpoint: Endpoint }[] {
  return cloud.surfaces.flatMap((surface) => surface.endpoints.map((endpoint) => ({ surface, endpoint })));
}

const name = ({ surface, endpoint }: { surface: Surface; endpoint: Endpoint }): string => `${surface.name} ${endpoint.id}`;

test('every endpoint names a rule that its service declares', () => {
  for (const { surface, endpoint } of all()) {
    if (endpoint.policy === 'public' || endpoint.policy === 'node') continue;
    const declared = [...surface.policies, ...baseRules].some((rule) => rule.name === endpoint.policy);
    assert.ok(declared, `${surface.name} ${endpoint.id}: ${endpoint.policy}`);
  }
});

test('every call that a rule speaks of is there', () => {
  const shape = (path: string): string => path.replaceAll(/\{[^}]+\}/g, '{}');
  const wrong = cloud.surfaces.flatMap(({ name, endpoints, policies }) => {
    const calls = new Set(endpoints.map(({ method, path }) => `${method} ${shape(path)}`));
    const spoken = policies.flatMap((rule) => rule.operations.map(({ method, path }) => ({ rule: rule.name, call: `${method === 'HEAD' ? 'GET' : method} ${path.split(/[ ?]/)[0]}` })));
    return spoken.filter(({ call }) => !calls.has(shape(call))).map(({ rule, call }) => `${name} ${rule}: ${call}`);
  });
  assert.deepEqual(wrong, []);
});

test('the checked-in policy reference is current', () => {
  assert.equal(readFileSync(POLICY_REFERENCE, 'utf8'), renderPolicies(cloud.surfaces), 'npm run reference writes it anew');
});

test('public endpoints are the ones we mean to be public', () => {
  const open = all().filter(({ endpoint }) => endpoint.policy === 'public' && !PUBLIC.test(endpoint.id));
  assert.deepEqual(open.map(name), []);
});

test('nothing else answers without a token, or with one that is none', async () => {
  for (const one of all()) {
    const { surface, endpoint } = one;
    if (endpoint.policy === 'public') continue;
    const path = surface.prefix + endpoint.path.replaceAll(/\{[^}]+\}/g, '00000000-0000-0000-0000-000000000000');
    for (const token of [undefined, 'gAAAAA-not-a-token']) {
      const answer = await request(cloud.url, token, endpoint.method, path, endpoint.method === 'GET' || endpoint.method === 'HEAD' ? {} : { body: {} });
      assert.equal(answer.status, 401, `${name(one)} ${endpoint.method} ${path}`);
    }
  }
});

test('the OpenAPI document is valid and holds every endpoint', async () => {
  const document = (await cloud.call('GET', '/openapi.json', { token: null })).json;
  const result = await new Validator().validate(structuredClone(document));
  assert.ok(result.valid, JSON.stringify(result.errors ?? result).slice(0, 2000));
  for (const { surface, endpoint } of all()) {
    if (surface.name === 'gantry' || endpoint.method === 'COPY') continue;
    const path = surface.prefix + endpoint.path.replaceAll('*}', '}') || '/';
    assert.ok(document.paths[path]?.[endpoint.method.toLowerCase()], `${endpoint.method} ${path}`);
  }
});

test('versions of an endpoint lie within what its service offers', () => {
  for (const { surface, endpoint } of all()) {
    const range = surface.microversions;
    for (const version of [endpoint.since, endpoint.until]) {
      if (version === undefined) continue;
      assert.ok(range && version >= range.min && version <= range.max, `${surface.name} ${endpoint.id}`);
    }
  }
});

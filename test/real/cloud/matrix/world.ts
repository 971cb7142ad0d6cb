/** What the rows of Nova's support matrix are performed with: one real cloud, one server at a time. */
import assert from 'node:assert/strict';
import { buildGuestImage } from '../../../../src/cli/guest-image.ts';
import { ApiError } from '../../../../src/cli/api.ts';
import { type RealCloud, runProgram, startRealCloud, within } from '../../../support/real-cloud.ts';
import { addressOf, createServer, deleteServer, makeFlavor, makeImage, makeNetwork, showServer, waitServer } from '../../../support/real-cloud-world.ts';

export interface MatrixWorld {
  cloud: RealCloud;
  image: string;
  flavor: string;
  network: string;
  /** The newest microversion. @throws ApiError */
  call(method: string, path: string, body?: unknown): Promise<any>;
  act(id: string, body: object): Promise<any>;
  boot(over?: object): Promise<string>;
  /** Until it has this status and does nothing. */
  settled(id: string, status: string): Promise<void>;
  inGuest(id: string, script: string): Promise<string>;
  /** A new volume of 1 GiB that is available. @returns its id. */
  volume(over?: object): Promise<string>;
  /** @returns the volume once it has this status. */
  volumeIs(id: string, status: string): Promise<any>;
  /** Below `/v3`. */
  blockStorage(method: string, path: string, body?: unknown): Promise<any>;
  /** Of the one host. */
  traits(): Promise<string[]>;
  remove(id: string): Promise<void>;
  address(id: string): Promise<string>;
  /** @returns the words of the refusal. @throws AssertionError when it is not refused, or not with a status of 4xx or 501. */
  refused(work: () => Promise<unknown>): Promise<string>;
  /** Boots what ends in ERROR. @returns its fault's words. */
  fails(over: object): Promise<string>;
  /** The same with a flavor or an image that has such properties; or their refusal. */
  noHost(over: { flavor?: Record<string, string>; image?: Record<string, string> }): Promise<string>;
}

export const NAME = 'gtsm';

export async function startMatrixWorld(): Promise<MatrixWorld> {
  const cloud = await startRealCloud({ name: NAME, agent: 'roles = ["compute", "network", "volume"]', toml: '[compute]\nshutdown_timeout = 1\ncpu_allocation_ratio = 32\n' });
  const { admin } = cloud;
  const image = await makeImage(admin, 'hello', buildGuestImage());
  const flavor = await makeFlavor(admin, 'nano', { disk: 1 });
  const network = await makeNetwork(admin, 'office', '192.168.66.0/24');
  const token = await tokenOf(cloud);
  const call = (method: string, path: string, body?: unknown): Promise<any> => send(`${cloud.url}/compute/v2.1${path}`, token, method, body);
  const boot = async (over: object = {}): Promise<string> => {
    const id = await createServer(admin, { name: 'one', imageRef: image, flavorRef: flavor, networks: [{ uuid: network }], ...over });
    await waitServer(admin, id, 'ACTIVE');
    return id;
  };
  const world: MatrixWorld = {
    cloud, image, flavor, network, call, boot,
    act: (id, body) => call('POST', `/servers/${id}/action`, body),
    async settled(id, status) {
      let seen: any;
      await within(60_000, `the server is not ${status}`, () => JSON.stringify(seen), async () => {
        seen = (await call('GET', `/servers/${id}`)).server;
        return seen.status === status && seen['OS-EXT-STS:task_state'] === null;
      });
    },
    async inGuest(id, script) {
      return (await runProgram(['docker', 'exec', `${NAME}-${id}`, 'sh', '-c', script])).stdout.trim();
    },
    blockStorage: (method, path, body) => send(`${cloud.url}/volume/v3${path}`, token, method, body, 'volume 3.60'),
    async volumeIs(id, status) {
      let volume: any;
      await within(60_000, `the volume is not ${status}`, () => JSON.stringify(volume), async () => {
        volume = (await world.blockStorage('GET', `/volumes/${id}`)).volume;
        assert.ok(status === 'error' || !String(volume.status).startsWith('error'), volume.status);
        return volume.status === status;
      });
      return volume;
    },
    async volume(over = {}) {
      const { volume } = await world.blockStorage('POST', '/volumes', { volume: { size: 1, name: 'data', ...over } });
      await world.volumeIs(volume.id, 'available');
      return volume.id;
    },
    async traits() {
      const [provider] = (await admin.call('placement', 'GET', '/resource_providers')).resource_providers;
      const url = `${cloud.url}/placement/resource_providers/${provider.uuid}/traits`;
      return (await send(url, token, 'GET', undefined, 'placement 1.6')).traits;
    },
    remove: (id) => deleteServer(admin, id),
    address: async (id) => addressOf(await showServer(admin, id)),
    refused,
    async fails(over) {
      const id = await createServer(admin, { name: 'odd', imageRef: image, flavorRef: flavor, networks: [{ uuid: network }], ...over });
      let server: any;
      await within(60_000, 'the server is still in BUILD', () => '', async () => (server = (await call('GET', `/servers/${id}`)).server).status !== 'BUILD');
      await world.remove(id);
      assert.equal(server.status, 'ERROR');
      return server.fault.message;
    },
    noHost: (over) => noHost(world, over),
  };
  return world;
}

async function tokenOf({ url, admin_password }: RealCloud): Promise<string> {
  const user = { name: 'admin', domain: { id: 'default' }, password: admin_password };
  const auth = { identity: { methods: ['password'], password: { user } }, scope: { project: { name: 'admin', domain: { id: 'default' } } } };
  const response = await fetch(`${url}/identity/v3/auth/tokens`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth }) });
  return response.headers.get('x-subject-token')!;
}

async function send(url: string, token: string, method: string, body: unknown, version = 'compute latest'): Promise<any> {
  const headers = { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': version };
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  const json = text === '' ? undefined : JSON.parse(text);
  if (response.ok) return json;
  const [fault] = Object.values<{ message?: string }>(json ?? {});
  throw new ApiError(response.status, fault?.message ?? text);
}

async function refused(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    assert.ok((error.status >= 400 && error.status < 500) || error.status === 501, `${error.status} ${error.message}`);
    return `${error.status}: ${error.message}`;
  }
  assert.fail('it was not refused');
}

async function noHost(world: MatrixWorld, { flavor = {}, image = {} }: { flavor?: Record<string, string>; image?: Record<string, string> }): Promise<string> {
  const { admin } = world.cloud;
  const flavorRef = await makeFlavor(admin, `odd-${Object.keys({ ...flavor, ...image }).join()}`, { disk: 1 });
  if (Object.keys(flavor).length > 0) await admin.call('compute', 'POST', `/flavors/${flavorRef}/os-extra_specs`, { extra_specs: flavor });
  const imageRef = Object.keys(image).length === 0 ? world.image : await makeImage(admin, 'odd', buildGuestImage());
  const patch = Object.entries(image).map(([key, value]) => ({ op: 'add', path: `/${key}`, value }));
  if (patch.length > 0) await admin.call('image', 'PATCH', `/images/${imageRef}`, patch, { content_type: 'application/openstack-images-v2.1-json-patch' });
  try {
    return await world.fails({ imageRef, flavorRef });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status < 400) throw error;
    return `${error.status}: ${error.message}`;
  }
}

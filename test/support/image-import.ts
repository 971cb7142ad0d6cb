/** A web server and a registry to import images from, and what the tests of imports do again and again. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { TestCloud } from './cloud.ts';
import { tar } from './docker-archive.ts';

export interface WebServer {
  port: number;
  host: string;
  /** Paths that were asked for, in order. */
  asked: string[];
  close(): Promise<void>;
}

export async function webServer(handler: (request: IncomingMessage, response: ServerResponse) => void, host = '127.0.0.1', port = 0): Promise<WebServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    handler(request, response);
  });
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, host, resolve));
  return {
    host, asked, port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
  };
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface FakeImage {
  blobs: Map<string, Buffer>;
  manifest: Buffer;
  digest: string;
  diff_ids: string[];
}

/** An image of these layers, each a tar of files, gzipped. */
export function registryImage(layers: Record<string, string>[], change: (manifest: Record<string, any>, blobs: Map<string, Buffer>) => void = () => {}): FakeImage {
  const blobs = new Map<string, Buffer>();
  const put = (bytes: Buffer): { digest: string; size: number } => {
    blobs.set(digestOf(bytes), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const tars = layers.map((files) => tar(files));
  const diff_ids = tars.map(digestOf);
  const config = put(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['/hello'] }, rootfs: { type: 'layers', diff_ids } })));
  const manifest = {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: tars.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...put(gzipSync(layer)) })),
  };
  change(manifest, blobs);
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { blobs, manifest: bytes, digest: digestOf(bytes), diff_ids };
}

/** Serves images by name and tag; with `token`, only to who fetched that from `/token`. */
export function registryHandler(images: Record<string, FakeImage>, options: { token?: string } = {}) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://registry');
    const send = (status: number, body: string | Buffer, headers: Record<string, string> = {}): void => void response.writeHead(status, headers).end(body);
    if (url.pathname === '/token') return send(200, JSON.stringify({ token: options.token }));
    if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token}`) {
      return send(401, '{}', { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="test"` });
    }
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    const named = images[`${name}:${reference}`] ?? Object.entries(images).find(([key, image]) => key.startsWith(`${name}:`) && (image.digest === reference || image.blobs.has(reference)))?.[1];
    if (!named) return send(404, '{}');
    if (kind === 'manifests') return send(200, named.manifest, { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'docker-content-digest': named.digest });
    send(200, named.blobs.get(reference) ?? Buffer.alloc(0));
  };
}

export interface Importer {
  create(fields?: object): Promise<string>;
  show(id: string): Promise<any>;
  upload(id: string, data: Uint8Array, headers?: Record<string, string>): Promise<number>;
  stage(id: string, data: Uint8Array): Promise<number>;
  import(id: string, method: object, more?: object, token?: string): Promise<{ status: number; message: string }>;
  /** Waits for the newest task of an image to end. */
  ended(id: string): Promise<any>;
  data(id: string, query?: string): Promise<Buffer>;
}

export function importer(cloud: TestCloud, token: string): Importer {
  const images = '/image/v2/images';
  const bytes = { 'content-type': 'application/octet-stream' };
  const json = { accept: 'application/json' };
  return {
    async create(fields = {}) {
      const answer = await cloud.call('POST', images, { token, body: { name: 'one', container_format: 'bare', disk_format: 'raw', ...fields } });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.json.id as string;
    },
    show: async (id) => (await cloud.call('GET', `${images}/${id}`, { token })).json,
    upload: async (id, body, headers = {}) => (await cloud.call('PUT', `${images}/${id}/file`, { token, body, headers: { ...bytes, ...headers } })).status,
    stage: async (id, body) => (await cloud.call('PUT', `${images}/${id}/stage`, { token, body, headers: bytes })).status,
    async import(id, method, more = {}, as = token) {
      const answer = await cloud.call('POST', `${images}/${id}/import`, { token: as, body: { method, ...more }, headers: json });
      return { status: answer.status, message: answer.json?.message ?? answer.text };
    },
    async ended(id) {
      const seen = (await cloud.call('GET', `${images}/${id}/tasks`, { token })).json.tasks.at(-1);
      const kernel = (await cloud.tasks.listOf(`image:${id}`, 1))[0];
      if (kernel) await cloud.tasks.whenSettled(kernel.id);
      return (await cloud.call('GET', `${images}/${id}/tasks`, { token })).json.tasks.find((task: { id: string }) => task.id === seen?.id);
    },
    async data(id, query = '') {
      const answer = await fetch(`${cloud.url}${images}/${id}/file${query}`, { headers: { 'x-auth-token': token } });
      return Buffer.from(await answer.arrayBuffer());
    },
  };
}

/** A small client of the distribution protocol, for tests. */
import { createHash } from 'node:crypto';
import { tar } from './docker-archive.ts';

export const sha256 = (bytes: string | Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';

export interface RegistryClient {
  call(method: string, path: string, options?: { body?: string | Uint8Array; headers?: Record<string, string> }): Promise<RegistryReply>;
  pushBlob(name: string, bytes: Uint8Array): Promise<string>;
  pushManifest(name: string, reference: string, manifest: object, type?: string): Promise<RegistryReply>;
}

export interface RegistryReply {
  status: number;
  headers: Headers;
  text: string;
  json: any;
  bytes: Buffer;
}

/** @param login undefined: none; tokens are fetched as the challenge of each call says. */
export function registryClient(url: string, login: { name: string; secret: string } | undefined): RegistryClient {
  const tokens = new Map<string, string>();
  const send = async (method: string, path: string, { body, headers = {} }: { body?: string | Uint8Array; headers?: Record<string, string> }, token?: string): Promise<RegistryReply> => {
    const response = await fetch(new URL(path, url), { method, headers: { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) }, ...(body === undefined ? {} : { body: body as never }) });
    const bytes = Buffer.from(await response.arrayBuffer());
    const text = bytes.toString('utf8');
    return { status: response.status, headers: response.headers, text, bytes, json: /json/.test(response.headers.get('content-type') ?? '') && text !== '' ? JSON.parse(text) : undefined };
  };
  const call: RegistryClient['call'] = async (method, path, options = {}) => {
    const first = await send(method, path, options, tokens.get(`${method} ${path.split('?')[0]}`));
    const challenge = first.headers.get('www-authenticate');
    if (first.status !== 401 || challenge === null) return first;
    const [, realm = ''] = /realm="([^"]+)"/.exec(challenge) ?? [];
    const [, scope] = /scope="([^"]+)"/.exec(challenge) ?? [];
    const asked = await fetch(`${realm}?service=x${scope ? `&scope=${encodeURIComponent(scope)}` : ''}`, { headers: login ? { authorization: `Basic ${Buffer.from(`${login.name}:${login.secret}`).toString('base64')}` } : {} });
    if (asked.status !== 200) return { ...first, status: asked.status };
    const { token } = (await asked.json()) as { token: string };
    tokens.set(`${method} ${path.split('?')[0]}`, token);
    return send(method, path, options, token);
  };
  return {
    call,
    async pushBlob(name, bytes) {
      const digest = sha256(bytes);
      const answer = await call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes, headers: { 'content-type': 'application/octet-stream' } });
      if (answer.status !== 201) throw new Error(`push of a blob: ${answer.status} ${answer.text}`);
      return digest;
    },
    pushManifest: (name, reference, manifest, type = MANIFEST) => call('PUT', `/v2/${name}/manifests/${reference}`, { body: JSON.stringify(manifest), headers: { 'content-type': type } }),
  };
}

/** Layers and configuration of an image; `files`: one map per layer. */
export function imageParts(...files: Record<string, string | Uint8Array>[]): { layers: Buffer[]; config: Buffer; manifest: { mediaType: string; layers: object[] } } {
  const layers = files.map((each) => tar(each));
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['/hello'] }, rootfs: { type: 'layers', diff_ids: layers.map(sha256) }, history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })) }));
  const manifest = {
    schemaVersion: 2, mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: layer.length })),
  };
  return { layers, config, manifest };
}

/** @returns the digest of the manifest. */
export async function pushImage(client: RegistryClient, name: string, tag: string, ...files: Record<string, string | Uint8Array>[]): Promise<string> {
  const { layers, config, manifest } = imageParts(...files);
  for (const blob of [...layers, config]) await client.pushBlob(name, blob);
  const answer = await client.pushManifest(name, tag, manifest);
  if (answer.status !== 201) throw new Error(`push of a manifest: ${answer.status} ${answer.text}`);
  return answer.headers.get('docker-content-digest')!;
}

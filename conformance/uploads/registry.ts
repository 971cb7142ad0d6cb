/** As much of a registry's client as it takes to push, pull and delete: the distribution specification over fetch. */
import type { MadeImage } from './archives.ts';
import { sha256 } from './archives.ts';

/** The registry, or nobody, answered something else than hoped for. */
export class RegistryRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Registry {
  /** @returns the manifest's digest, hex. */
  push(name: string, tag: string, image: MadeImage): Promise<string>;
  /** Manifest, config and layers, each compared with its digest. @returns what does not fit. */
  pull(name: string, reference: string): Promise<string[]>;
  remove(name: string, reference: string): Promise<void>;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CHUNK = 262_144;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export function registryClient(origin: () => string, credentials: { username: string; password: string }): Registry {
  const send = async (token: string | undefined, method: string, url: string, init: { body?: Uint8Array | undefined; headers?: Record<string, string> } = {}, expected: readonly number[] = [200, 201, 202]): Promise<Response> => {
    const headers = { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const answer = await fetch(new URL(url, origin()), { method, headers, signal: AbortSignal.timeout(60_000), ...(init.body === undefined ? {} : { body: init.body as never }) })
      .catch((error: Error) => { throw new RegistryRefusal(0, error.message); });
    if (expected.includes(answer.status)) return answer;
    throw new RegistryRefusal(answer.status, `${method} ${url}: ${answer.status} ${(await answer.text().catch(() => '')).slice(0, 300)}`);
  };
  const token = async (name: string): Promise<string> => {
    const basic = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    const scope = encodeURIComponent(`repository:${name}:pull,push,delete`);
    const answer = await send(undefined, 'GET', `/v2/token?service=gantry&scope=${scope}`, { headers: { authorization: `Basic ${basic}` } });
    return ((await answer.json()) as { token: string }).token;
  };
  const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer().catch((error: Error) => { throw new RegistryRefusal(0, error.message); }));

  async function pushBlob(auth: string, name: string, bytes: Buffer, mediaType: string): Promise<Descriptor> {
    const digest = `sha256:${sha256(bytes)}`;
    const descriptor = { mediaType, digest, size: bytes.length };
    if ((await send(auth, 'HEAD', `/v2/${name}/blobs/${digest}`, {}, [200, 404])).status === 200) return descriptor;
    let at = (await send(auth, 'POST', `/v2/${name}/blobs/uploads/`)).headers.get('location')!;
    for (let from = 0; from < bytes.length; from += CHUNK) {
      const body = bytes.subarray(from, from + CHUNK);
      const headers = { 'content-type': 'application/octet-stream', 'content-range': `${from}-${from + body.length - 1}` };
      at = (await send(auth, 'PATCH', at, { body, headers })).headers.get('location')!;
    }
    const url = new URL(at, origin());
    url.searchParams.set('digest', digest);
    await send(auth, 'PUT', url.href);
    return descriptor;
  }

  return {
    async push(name, tag, image) {
      const auth = await token(name);
      const layers: Descriptor[] = [];
      for (const layer of image.layers) layers.push(await pushBlob(auth, name, layer, LAYER));
      const config = await pushBlob(auth, name, image.config, CONFIG);
      const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }));
      await send(auth, 'PUT', `/v2/${name}/manifests/${tag}`, { body: manifest, headers: { 'content-type': MANIFEST } });
      return sha256(manifest);
    },
    async pull(name, reference) {
      const auth = await token(name);
      const manifest = await bytesOf(await send(auth, 'GET', `/v2/${name}/manifests/${reference}`, { headers: { accept: MANIFEST } }));
      const { config, layers } = JSON.parse(manifest.toString()) as { config: Descriptor; layers: Descriptor[] };
      const wrong: string[] = [];
      for (const { digest } of [config, ...layers]) {
        const bytes = await bytesOf(await send(auth, 'GET', `/v2/${name}/blobs/${digest}`));
        if (`sha256:${sha256(bytes)}` !== digest) wrong.push(`${name}@${digest} has ${bytes.length} other bytes`);
      }
      if (reference.startsWith('sha256:') && `sha256:${sha256(manifest)}` !== reference) wrong.push(`${name}@${reference} is another manifest`);
      return wrong;
    },
    async remove(name, reference) {
      await send(await token(name), 'DELETE', `/v2/${name}/manifests/${reference}`);
    },
  };
}

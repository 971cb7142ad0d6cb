/** Blobs in a bucket of an S3-compatible store: `<prefix>sha256/ab/<digest>`. */
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Client } from 'minio';
import { unavailable } from '../../../kernel/fault.ts';
import type { BlobStore, ByteRange } from './blobs.ts';

export interface S3Options {
  /** `https://host:port` */
  endpoint: string;
  region: string;
  bucket: string;
  /** Before every key; empty or ending with a slash. */
  prefix: string;
  access_key: string;
  secret_key: string;
  /** Bytes; larger blobs are sent in parts of this size. Default 64 MiB. */
  part_size?: number;
}

const PART_SIZE = 64 << 20;

/** Faults of all its calls: 503 when the store cannot be reached or refuses. */
export function createS3Blobs(options: S3Options): BlobStore {
  const { bucket, prefix } = options;
  const client = connect(options);
  const keyOf = (digest: string): string => `${prefix}sha256/${digest.slice(0, 2)}/${digest}`;
  return {
    async put(digest, path) {
      await client.fPutObject(bucket, keyOf(digest), path).catch(fail);
      await rm(path, { force: true });
    },
    open: (digest, range) => Readable.from(read(client, bucket, keyOf(digest), range), { objectMode: false, highWaterMark: 1 << 20 }),
    remove: (digest) => client.removeObject(bucket, keyOf(digest)).catch(fail),
    list: (olderThan) => list(client, bucket, `${prefix}sha256/`, olderThan),
    clear: () => endUploads(client, bucket, prefix),
  };
}

function connect({ endpoint, region, access_key, secret_key, part_size = PART_SIZE }: S3Options): Client {
  const url = new URL(endpoint);
  const useSSL = url.protocol === 'https:';
  return new ResumingClient({
    endPoint: url.hostname, port: Number(url.port) || (useSSL ? 443 : 80), useSSL, region, accessKey: access_key, secretKey: secret_key, pathStyle: true, partSize: part_size,
  });
}

/** Goes on with an upload in parts that was broken off, where the server can name it; elsewhere it begins anew. */
class ResumingClient extends Client {
  override async findUploadId(bucket: string, key: string): Promise<string | undefined> {
    return super.findUploadId(bucket, key).catch((error: unknown) => (isNotImplemented(error) ? undefined : Promise.reject(error as Error)));
  }
}

const isNotImplemented = (error: unknown): boolean => (error as { code?: string }).code === 'NotImplemented';

/** Some servers cannot name them: there a rule of the bucket has to end them. */
async function endUploads(client: Client, bucket: string, prefix: string): Promise<void> {
  try {
    for await (const { key } of client.listIncompleteUploads(bucket, prefix, true) as AsyncIterable<{ key: string }>) await client.removeIncompleteUpload(bucket, key);
  } catch (error) {
    if (!isNotImplemented(error)) fail(error);
  }
}

function fail(cause: unknown): never {
  throw unavailable('image.store-unavailable', 'The store of the image data cannot be reached.', { retryable: true, cause });
}

async function* read(client: Client, bucket: string, key: string, range: ByteRange | undefined): AsyncGenerator<Buffer> {
  const stream = await (range === undefined ? client.getObject(bucket, key) : client.getPartialObject(bucket, key, range.start, range.end - range.start + 1)).catch(fail);
  yield* stream as AsyncIterable<Buffer>;
}

async function* list(client: Client, bucket: string, prefix: string, olderThan: Date): AsyncIterable<string> {
  for await (const { name, lastModified } of client.listObjectsV2(bucket, prefix, true) as AsyncIterable<{ name?: string; lastModified?: Date }>) {
    const digest = name?.slice(name.lastIndexOf('/') + 1);
    if (digest !== undefined && lastModified !== undefined && lastModified < olderThan) yield digest;
  }
}

import { Type } from 'typebox';
import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, conflict, forbidden, notFound, unsupportedMediaType } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { receiveRoot } from '../model/conversions.ts';
import { hasData, type Incoming, openImageData, uploadImage } from '../model/image-data.ts';
import { openBlob, openManifest } from '../model/manifests.ts';
import { getImage, setActive } from '../model/images.ts';
import { receiveSnapshot } from '../model/snapshots.ts';
import { findImage } from '../store/images.ts';
import type { ImageRow } from '../store/tables.ts';
import { readRange } from './byte-range.ts';
import { eyesOf, imageTarget, targetOf } from './eyes.ts';

const Blob = { digest: Type.String(), size: Type.Integer() };
const NodeManifest = Type.Object({
  digest: Type.String(), config: Type.Object(Blob),
  layers: Type.Array(Type.Object({ ...Blob, diff_id: Type.Union([Type.String(), Type.Null()]), media_type: Type.String() })),
});

export const imageDataEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'image-data:upload', method: 'PUT', path: '/v2/images/{image_id}/file', summary: 'Upload the data of an image', policy: 'upload_image', status: 204,
    target: (call) => imageTarget(deps, call), body: 'stream',
    async handler(call) {
      await uploadImage(deps, await getImage(deps, eyesOf(call), call.params.image_id), incoming(call), call.ctx, call.headers['x-image-meta-store'] as string | undefined);
      return undefined;
    },
  }),
  endpoint({
    id: 'image-data:download', method: 'GET', path: '/v2/images/{image_id}/file', summary: 'Download the data of an image', policy: 'download_image', status: 200,
    target: (call) => imageTarget(deps, call), query: Type.Object({ prefer: Type.Optional(Type.String()) }), reply: 'stream',
    async handler(call) {
      const row = await getImage(deps, eyesOf(call), call.params.image_id);
      if (row.status === 'deactivated' && !eyesOf(call).is_admin) throw forbidden('image.deactivated', `The requested image has been deactivated. Image data download is forbidden.`);
      const prefer = (call.query.prefer ?? '').split(',').map((id) => id.trim()).filter((id) => id !== '');
      if (prefer.length > 0) call.enforce('download_from_store', targetOf(row, call.auth.project_id));
      for (const id of prefer) deps.stores.of(id);
      return sendData(deps, row, call, prefer);
    },
  }),
  ...(['deactivate', 'reactivate'] as const).map((verb) =>
    endpoint({
      id: `image-data:${verb}`, method: 'POST', path: `/v2/images/{image_id}/actions/${verb}`, summary: `${verb} an image`, policy: verb, status: 204,
      target: (call) => imageTarget(deps, call as Call),
      async handler(call) {
        const { image_id } = call.params as { image_id: string };
        await setActive(deps, await getImage(deps, eyesOf(call as Call), image_id), verb === 'reactivate');
        return undefined;
      },
    }),
  ),
  ...nodeEndpoints(deps),
];

const nodeEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'image-data:node-download', method: 'GET', path: '/agent/images/{image_id}/file', summary: 'Fetch an image to a node', policy: 'node', status: 200, reply: 'stream',
    async handler(call) {
      const row = await findImage(deps.db.read, call.params.image_id);
      if (!row) throw imageNotFound(call.params.image_id);
      return sendData(deps, row, call);
    },
  }),
  endpoint({
    id: 'image-data:node-manifest', method: 'GET', path: '/agent/images/{image_id}/manifest', summary: 'Show the layers of an image to a node', policy: 'node', status: 200, reply: NodeManifest,
    async handler(call) {
      const manifest = await openManifest(deps, call.params.image_id);
      if (!manifest) throw notFound('image.no-manifest', `Image ${call.params.image_id} is no container image.`);
      return manifest;
    },
  }),
  endpoint({
    id: 'image-data:node-root', method: 'PUT', path: '/agent/images/{image_id}/root-file-system', summary: 'Send the root file system of a disk image from a node', policy: 'node', status: 201,
    body: 'stream', reply: Type.Object(Blob),
    async handler(call) {
      const row = await findImage(deps.db.read, call.params.image_id);
      if (row?.conversion_state !== 'running') throw conflict('image.not-converting', `Image ${call.params.image_id} is not being converted.`);
      return receiveRoot(deps, call.stream as AsyncIterable<Buffer>);
    },
  }),
  endpoint({
    id: 'image-data:node-layer', method: 'PUT', path: '/agent/images/{image_id}/layer', summary: 'Send what a server has changed from its node', policy: 'node', status: 201,
    body: 'stream', reply: Type.Object(Blob),
    handler: (call) => receiveSnapshot(deps, call.params.image_id, call.stream as AsyncIterable<Buffer>),
  }),
  endpoint({
    id: 'image-data:node-blob', method: 'GET', path: '/agent/images/{image_id}/blobs/{digest}', summary: 'Fetch a layer of an image to a node', policy: 'node', status: 200, reply: 'stream',
    async handler(call) {
      const { stream, size } = await openBlob(deps, call.params.image_id, call.params.digest);
      return reply(stream, { headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) } });
    },
  }),
];

/** The body of a request and what it says of itself. Faults: 415, 400 for a size that is none. */
export function incoming(call: Pick<Call<any, any, any>, 'headers' | 'stream'>): Incoming {
  const type = call.headers['content-type']?.split(';', 1)[0];
  if (type !== 'application/octet-stream') throw unsupportedMediaType('image.media-type', 'The data of an image are sent as application/octet-stream.');
  const told = call.headers['x-openstack-image-size'];
  const text = told ?? call.headers['content-length'];
  if (text === undefined) return { source: call.stream, declared: undefined, exact: false };
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw badRequest('image.size', 'Invalid or missing image size in request headers.');
  return { source: call.stream, declared: Number(text), exact: told !== undefined };
}

async function sendData(deps: ImageDeps, row: ImageRow, call: Pick<Call<any, any, any>, 'headers'>, prefer: readonly string[] = []) {
  if (!hasData(row) || row.size === null) return reply(undefined, { status: 204 });
  const range = readRange(call.headers.range, row.size);
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'content-length': String(range ? range.end - range.start + 1 : row.size),
    'accept-ranges': 'bytes',
  };
  if (row.checksum !== null) headers['content-md5'] = row.checksum;
  if (range) headers['content-range'] = `bytes ${range.start}-${range.end}/${row.size}`;
  return reply(await openImageData(deps, row, range, prefer), { status: range ? 206 : 200, headers });
}

/** The properties of an image as metadata, up to 2.38: a proxy of the image service. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { checkImageMetadataQuota, imageMetadata, inNovaWords } from '../model/images.ts';
import { quotasOf } from '../model/quota-sets.ts';
import { versions } from '../versions.ts';
import { metadataMap } from './parameters.ts';
import { readerOf } from './server-target.ts';

type ImageCall = Pick<Call<{ image_id: string }>, 'auth' | 'allows' | 'params'>;
type Metadata = Record<string, string>;

const UNTIL = versions.NO_IMAGE_METADATA - 1;
const PATH = '/v2.1/images/{image_id}/metadata';
const closed = { additionalProperties: false } as const;
const wholeBody = Type.Object({ metadata: metadataMap }, closed);
const wholeReply = Type.Object({ metadata: Type.Record(Type.String(), Type.Unknown()) }, closed);
const itemBody = Type.Object({ meta: Type.Unsafe<Metadata>({ ...metadataMap, minProperties: 1, maxProperties: 1 }) }, closed);
const itemReply = Type.Object({ meta: Type.Record(Type.String(), Type.Unknown()) }, closed);

async function read(deps: ComputeDeps, call: ImageCall): Promise<Record<string, unknown>> {
  const { image_id } = call.params;
  return imageMetadata(await inNovaWords(image_id, deps.image.showImage(call, image_id)));
}

async function write(deps: ComputeDeps, call: ImageCall, change: (old: Metadata) => Metadata): Promise<Record<string, unknown>> {
  const { image_id } = call.params;
  return imageMetadata(await inNovaWords(image_id, deps.image.changeProperties(call, image_id, change)));
}

/** As `write`, where there may be more metadata after than before. */
async function add(deps: ComputeDeps, call: ImageCall, change: (old: Metadata) => Metadata): Promise<Record<string, unknown>> {
  const { metadata_items } = await quotasOf(readerOf(deps), deps, call.auth.project_id ?? '');
  return await write(deps, call, (old) => {
    const metadata = change(old);
    checkImageMetadataQuota(metadata_items, metadata);
    return metadata;
  });
}

function without(old: Metadata, key: string): Metadata {
  if (!Object.hasOwn(old, key)) throw notFound('compute.metadata-not-found', 'Invalid metadata key');
  return Object.fromEntries(Object.entries(old).filter(([name]) => name !== key));
}

const wholeEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'image-metadata:list', method: 'GET', path: PATH, summary: 'List metadata of an image', policy: 'regular_user', status: 200, until: UNTIL,
    reply: wholeReply,
    handler: async (call) => ({ metadata: await read(deps, call) }),
  }),
  endpoint({
    id: 'image-metadata:merge', method: 'POST', path: PATH, summary: 'Add or change metadata of an image', policy: 'regular_user', status: 200, until: UNTIL,
    body: wholeBody, reply: wholeReply,
    handler: async (call) => ({ metadata: await add(deps, call, (old) => ({ ...old, ...call.body.metadata })) }),
  }),
  endpoint({
    id: 'image-metadata:replace', method: 'PUT', path: PATH, summary: 'Replace all metadata of an image', policy: 'regular_user', status: 200, until: UNTIL,
    body: wholeBody, reply: wholeReply,
    handler: async (call) => ({ metadata: await add(deps, call, () => call.body.metadata) }),
  }),
];

const itemEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'image-metadata:show', method: 'GET', path: `${PATH}/{key}`, summary: 'Show one metadata item of an image', policy: 'regular_user', status: 200, until: UNTIL,
    reply: itemReply,
    async handler(call) {
      const { key } = call.params;
      const metadata = await read(deps, call);
      if (!Object.hasOwn(metadata, key)) throw notFound('compute.metadata-not-found', 'The resource could not be found.');
      return { meta: { [key]: metadata[key] } };
    },
  }),
  endpoint({
    id: 'image-metadata:update', method: 'PUT', path: `${PATH}/{key}`, summary: 'Add or change one metadata item of an image', policy: 'regular_user', status: 200, until: UNTIL,
    body: itemBody, reply: itemReply,
    async handler(call) {
      const { meta } = call.body;
      if (!Object.hasOwn(meta, call.params.key)) throw badRequest('compute.metadata-mismatch', 'Request body and URI mismatch');
      await add(deps, call, (old) => ({ ...old, ...meta }));
      return { meta };
    },
  }),
  endpoint({
    id: 'image-metadata:delete', method: 'DELETE', path: `${PATH}/{key}`, summary: 'Delete one metadata item of an image', policy: 'regular_user', status: 204, until: UNTIL,
    async handler(call) {
      await write(deps, call, (old) => without(old, call.params.key));
      return undefined;
    },
  }),
];

export const imageMetadataEndpoints = (deps: ComputeDeps): Endpoint[] => [...wholeEndpoints(deps), ...itemEndpoints(deps)];

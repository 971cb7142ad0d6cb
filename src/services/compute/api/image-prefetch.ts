/** Images on nodes before a server wants them: nova's call for the hosts of an aggregate, and one of our own that waits and tells. */
import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { policyRule, type PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ImageRef } from '../../../agents/compute/protocol.ts';
import type { ComputeDeps } from '../deps.ts';
import { getAggregate } from '../model/aggregates.ts';
import { imageForServer, imageRefOf } from '../model/image-checks.ts';
import { prefetchImage } from '../model/image-prefetch.ts';
import { versions } from '../versions.ts';
import { aggregateNumber } from './aggregates.ts';
import { hostText } from './parameters.ts';
import { ADMIN } from './rules.ts';

const exact = { additionalProperties: false };
const prefetched = Type.Object({
  host: Type.String(), status: Type.Union([Type.Literal('present'), Type.Literal('fetched'), Type.Literal('failed')]), message: Type.Optional(Type.String()),
  present: Type.Optional(Type.Boolean()), bytes_fetched: Type.Optional(Type.Integer()), layers_fetched: Type.Optional(Type.Integer()),
  layers_reused: Type.Optional(Type.Integer()), bytes_reused: Type.Optional(Type.Integer()), ms: Type.Optional(Type.Integer()),
});

/** @throws Fault 400 when the caller has no such image, or no server could run it. */
async function imageOf(deps: ComputeDeps, auth: Auth, id: string): Promise<ImageRef> {
  return imageRefOf(await imageForServer(deps, auth, id));
}

export const imagePrefetchEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'aggregates:images', method: 'POST', path: '/v2.1/os-aggregates/{aggregate_id}/images', since: versions.AGGREGATE_IMAGES,
    summary: 'Bring images to the hosts of an aggregate', policy: 'compute:aggregates:images', status: 202,
    body: Type.Object({ cache: Type.Array(Type.Object({ id: Type.String({ format: 'uuid' }) }, exact), { minItems: 1, maxItems: 100 }) }, exact),
    async handler(call) {
      const ids = call.body.cache.map(({ id }) => id);
      const number = aggregateNumber(call);
      if (new Set(ids).size < ids.length) throw badRequest('compute.duplicate-images', 'Duplicate images in request');
      const { hosts } = await getAggregate(deps, number);
      const images: ImageRef[] = [];
      for (const id of ids) images.push(await imageOf(deps, call.auth, id));
      if (hosts.length > 0) void bringAll(deps, images, hosts);
      return reply();
    },
  }),
  endpoint({
    id: 'images:prefetch', method: 'POST', path: '/v2.1/os-image-prefetch', summary: 'Bring an image to hosts and tell how it went',
    policy: 'compute:aggregates:images', status: 200,
    body: Type.Object({ prefetch: Type.Object({ image_id: Type.String({ format: 'uuid' }), hosts: Type.Optional(Type.Array(hostText, { minItems: 1, maxItems: 1000 })) }, exact) }, exact),
    reply: Type.Object({ hosts: Type.Array(prefetched) }),
    async handler(call) {
      const { image_id, hosts } = call.body.prefetch;
      return { hosts: await prefetchImage(deps, await imageOf(deps, call.auth, image_id), hosts) };
    },
  }),
];

/** Answered already: what fails now is in the log, by image and host. */
async function bringAll(deps: ComputeDeps, images: readonly ImageRef[], hosts: readonly string[]): Promise<void> {
  for (const image of images) {
    await prefetchImage(deps, image, hosts).catch((error: unknown) => deps.log.warn({ err: error, image_id: image.id }, 'an image could not be brought to an aggregate'));
  }
}

export const imagePrefetchPolicies: PolicyRule[] = [
  policyRule('compute:aggregates:images', ADMIN, ['project'], 'Bring images to hosts before a server asks for them.', 'POST /v2.1/os-aggregates/{aggregate_id}/images', 'POST /v2.1/os-image-prefetch'),
];

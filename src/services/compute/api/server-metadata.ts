import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { setMetadata } from '../model/server-metadata.ts';
import { metadataOf } from '../model/server-row.ts';
import { checkAction } from '../model/server-state.ts';
import { metadataMap } from './parameters.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';

const path = '/v2.1/servers/{server_id}/metadata';
const policy = (name: string): string => `os_compute_api:server-metadata:${name}`;
const closed = { additionalProperties: false } as const;
const wholeBody = Type.Object({ metadata: metadataMap }, closed);
const wholeReply = Type.Object({ metadata: Type.Record(Type.String(), Type.String()) });
const itemBody = Type.Object({ meta: Type.Unsafe<Record<string, string>>({ ...metadataMap, minProperties: 1, maxProperties: 1 }) }, closed);
const itemReply = Type.Object({ meta: Type.Record(Type.String(), Type.String()) });

const noItem = (): Error => notFound('compute.metadata-not-found', 'Metadata item was not found');

/** @param change what becomes of the metadata there is. */
async function write(deps: ComputeDeps, call: Pick<Call, 'ctx' | 'allows'>, change: (old: Record<string, string>) => Record<string, string>) {
  const row = serverOf(call);
  checkAction('update metadata', row, isAdmin(call));
  return await setMetadata(deps, row, change);
}

export const serverMetadataEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-metadata:list', method: 'GET', path, summary: 'List metadata of a server', policy: policy('index'), target: serverTarget(deps),
    reply: wholeReply, status: 200,
    handler: (call) => ({ metadata: metadataOf(serverOf(call)) }),
  }),
  endpoint({
    id: 'server-metadata:merge', method: 'POST', path, summary: 'Add or change metadata of a server', policy: policy('create'), target: serverTarget(deps),
    body: wholeBody, reply: wholeReply, status: 200,
    handler: async (call) => ({ metadata: await write(deps, call, (old) => ({ ...old, ...call.body.metadata })) }),
  }),
  endpoint({
    id: 'server-metadata:replace', method: 'PUT', path, summary: 'Replace all metadata of a server', policy: policy('update_all'), target: serverTarget(deps),
    body: wholeBody, reply: wholeReply, status: 200,
    handler: async (call) => ({ metadata: await write(deps, call, () => ({ ...call.body.metadata })) }),
  }),
  endpoint({
    id: 'server-metadata:show', method: 'GET', path: `${path}/{key}`, summary: 'Show one metadata item', policy: policy('show'), target: serverTarget(deps),
    reply: itemReply, status: 200,
    handler: (call) => {
      const value = metadataOf(serverOf(call))[call.params.key];
      if (value === undefined) throw noItem();
      return { meta: { [call.params.key]: value } };
    },
  }),
  endpoint({
    id: 'server-metadata:update', method: 'PUT', path: `${path}/{key}`, summary: 'Add or change one metadata item', policy: policy('update'), target: serverTarget(deps),
    body: itemBody, reply: itemReply, status: 200,
    handler: async (call) => {
      const { meta } = call.body;
      if (!Object.hasOwn(meta, call.params.key)) throw badRequest('compute.metadata-mismatch', 'Request body and URI mismatch');
      await write(deps, call, (old) => ({ ...old, ...meta }));
      return { meta };
    },
  }),
  endpoint({
    id: 'server-metadata:delete', method: 'DELETE', path: `${path}/{key}`, summary: 'Delete one metadata item', policy: policy('delete'), target: serverTarget(deps),
    status: 204,
    handler: async (call) => {
      const row = serverOf(call);
      if (!Object.hasOwn(metadataOf(row), call.params.key)) throw noItem();
      checkAction('delete metadata', row, isAdmin(call));
      await setMetadata(deps, row, (old) => Object.fromEntries(Object.entries(old).filter(([key]) => key !== call.params.key)));
      return undefined;
    },
  }),
];

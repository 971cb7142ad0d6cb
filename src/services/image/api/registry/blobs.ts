import { Type } from 'typebox';
import { type Call, type Endpoint, endpoint, reply } from '../../../../kernel/api/endpoint.ts';
import { badRequest, Fault, isFault } from '../../../../kernel/fault.ts';
import { isoMicros } from '../../../../kernel/clock.ts';
import type { RegistryDeps } from '../../deps.ts';
import { touchBlobs } from '../../model/blobs.ts';
import { quotaCheck } from '../../model/quotas.ts';
import { parseDigest } from '../../model/registry/names.ts';
import { blobUnknown, mayReadBlob, openOwnPlace, openPlace, repositoryTarget } from '../../model/registry/places.ts';
import { rangeText } from '../../model/registry/uploads.ts';
import { findBlob } from '../../store/blob-rows.ts';
import { ensureRepository, findRepository, isNamedIn, linkBlobs, unlinkBlob } from '../../store/registry/repositories.ts';
import { readRange } from '../byte-range.ts';

const BLOB = '/{name}/blobs/{digest}';
const UPLOAD = '/{name}/blobs/uploads/{upload_id}';

export const blobEndpoints = (deps: RegistryDeps): Endpoint[] => [
  ...(['GET', 'HEAD'] as const).map((method) => endpoint({
    id: `registry:blobs:${method.toLowerCase()}`, method, path: BLOB, summary: 'Pull a blob', policy: 'registry_use', status: 200, reply: 'stream',
    handler: async (call) => sendBlob(deps, call as Call, method === 'GET'),
  })),
  endpoint({
    id: 'registry:blobs:delete', method: 'DELETE', path: BLOB, summary: 'Delete a blob', policy: 'registry_delete', status: 202,
    target: (call) => repositoryTarget(deps, call),
    async handler(call) {
      const digest = parseDigest(call.params.digest);
      const { project, name } = await openOwnPlace(deps, call);
      const repository = await findRepository(deps.db.read, project.id, name);
      if (!repository) throw blobUnknown(digest);
      await deps.db.transaction(async (tx) => {
        if (await isNamedIn(tx, repository.id, digest)) throw new Fault(405, 'registry.blob-in-use', 'A manifest of the repository needs this blob.', { type: 'UNSUPPORTED' });
        if (!(await unlinkBlob(tx, repository.id, digest))) throw blobUnknown(digest);
      });
      return undefined;
    },
  }),
  ...['/{name}/blobs/uploads/', '/{name}/blobs/uploads'].map((path) => endpoint({
    id: `registry:uploads:create${path.endsWith('/') ? '' : '-bare'}`, method: 'POST', path, summary: 'Begin to push a blob, push it at once, or take it from another repository', policy: 'registry_push', status: 202, body: 'stream',
    query: Type.Object({ digest: Type.Optional(Type.String()), mount: Type.Optional(Type.String()), from: Type.Optional(Type.String()), 'digest-algorithm': Type.Optional(Type.String()) }),
    target: (call) => repositoryTarget(deps, call as Call),
    handler: async (call) => beginUpload(deps, call as Call<any, any, any>),
  })),
  ...uploadEndpoints(deps),
];

const uploadEndpoints = (deps: RegistryDeps): Endpoint[] => [
  endpoint({
    id: 'registry:uploads:show', method: 'GET', path: UPLOAD, summary: 'Ask how much of a blob has arrived', policy: 'registry_push', status: 204,
    target: (call) => repositoryTarget(deps, call),
    handler: async (call) => reply(undefined, { headers: uploadHeaders(call.params.name, await uploadOf(deps, call as Call)) }),
  }),
  endpoint({
    id: 'registry:uploads:append', method: 'PATCH', path: UPLOAD, summary: 'Push a part of a blob', policy: 'registry_push', status: 202, body: 'stream',
    target: (call) => repositoryTarget(deps, call),
    async handler(call) {
      const row = await uploadOf(deps, call as Call);
      const size = await append(deps, call as Call, row);
      return reply(undefined, { headers: uploadHeaders(call.params.name, { ...row, size }) });
    },
  }),
  endpoint({
    id: 'registry:uploads:finish', method: 'PUT', path: UPLOAD, summary: 'End the push of a blob', policy: 'registry_push', status: 201, body: 'stream',
    target: (call) => repositoryTarget(deps, call), query: Type.Object({ digest: Type.Optional(Type.String()) }),
    async handler(call) {
      const digest = parseDigest(call.query.digest ?? '');
      const row = await uploadOf(deps, call as Call);
      const size = await append(deps, call as Call, row);
      await deps.uploads.finish({ ...row, size }, digest, await projectOf(deps, call as Call));
      return created(call.params.name, digest);
    },
  }),
  endpoint({
    id: 'registry:uploads:delete', method: 'DELETE', path: UPLOAD, summary: 'Give up the push of a blob', policy: 'registry_push', status: 204,
    target: (call) => repositoryTarget(deps, call),
    async handler(call) {
      await deps.uploads.cancel(await uploadOf(deps, call as Call));
      return undefined;
    },
  }),
];

const created = (name: string, digest: string) => reply(undefined, { status: 201, headers: { location: `/v2/${name}/blobs/sha256:${digest}`, 'docker-content-digest': `sha256:${digest}` } });

function uploadHeaders(name: string, { id, size }: { id: string; size: number }): Record<string, string> {
  return { location: `/v2/${name}/blobs/uploads/${id}`, range: rangeText(size), 'docker-upload-uuid': id };
}

async function uploadOf(deps: RegistryDeps, call: Call) {
  const { project, name } = await openOwnPlace(deps, call);
  return deps.uploads.find((call.params as { upload_id: string }).upload_id, { project_id: project.id, name });
}

const projectOf = async (deps: RegistryDeps, call: Call): Promise<string> => (await openOwnPlace(deps, call)).project.id;

async function append(deps: RegistryDeps, call: Call, row: Awaited<ReturnType<typeof uploadOf>>): Promise<number> {
  const project_id = await projectOf(deps, call);
  const range = call.headers['content-range'];
  const match = range === undefined ? undefined : /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(range);
  if (match === null) throw badRequest('registry.content-range', 'Content-Range is <first>-<last>.', { type: 'BLOB_UPLOAD_INVALID' });
  const length = call.headers['content-length'];
  const declared = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
  const at = match === undefined || declared === 0 ? undefined : Number(match[1]);
  try {
    return await deps.uploads.append(row, call.stream as AsyncIterable<Buffer>, { project_id, at, declared });
  } catch (error) {
    if (isFault(error) && error.status === 416) throw new Fault(416, error.code, error.message, { type: 'BLOB_UPLOAD_INVALID', headers: uploadHeaders((call.params as { name: string }).name, row) });
    throw error;
  }
}

async function beginUpload(deps: RegistryDeps, call: Call<any, { digest?: string; mount?: string; from?: string }>) {
  const name = (call.params as { name: string }).name;
  const place = await openOwnPlace(deps, call);
  const { digest, mount, from } = call.query;
  if (mount !== undefined && (await mounted(deps, call, place, parseDigest(mount), from))) return created(name, parseDigest(mount));
  if (digest !== undefined) parseDigest(digest);
  const row = await deps.uploads.begin({ project_id: place.project.id, name: place.name }, call.auth.user_id);
  if (digest === undefined) return reply(undefined, { status: 202, headers: uploadHeaders(name, row) });
  const size = await append(deps, call as Call, row);
  await deps.uploads.finish({ ...row, size }, parseDigest(digest), place.project.id);
  return created(name, parseDigest(digest));
}

/** Takes a blob over from a repository that the caller may pull from. False: it has to be pushed. */
async function mounted(deps: RegistryDeps, call: Call<any, any>, place: { project: { id: string }; name: string }, digest: string, from: string | undefined): Promise<boolean> {
  if (from === undefined) return false;
  const source = await openPlace(deps, call, from).catch((error: unknown) => (isFault(error) ? undefined : Promise.reject(error as Error)));
  if (!source || !(await mayReadBlob(deps, source, digest)) || !(await findBlob(deps.db.read, digest))) return false;
  const now = isoMicros(deps.clock.now());
  const within_quota = await quotaCheck(deps, place.project.id, { image_size_total: 0 });
  await deps.db.transaction(async (tx) => {
    await touchBlobs(deps, tx, [digest]);
    const repository = await ensureRepository(tx, place.project.id, place.name, now);
    await linkBlobs(tx, repository.id, [digest], now);
    await within_quota(tx);
  });
  return true;
}

async function sendBlob(deps: RegistryDeps, call: Call, whole: boolean) {
  const digest = parseDigest((call.params as { digest: string }).digest);
  const place = await openPlace(deps, call);
  const blob = (await mayReadBlob(deps, place, digest)) ? await findBlob(deps.db.read, digest) : undefined;
  if (!blob) throw blobUnknown(digest);
  const range = whole ? readRange(call.headers.range, blob.size) : undefined;
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream', 'content-length': String(range ? range.end - range.start + 1 : blob.size), 'docker-content-digest': `sha256:${digest}`,
    etag: `"sha256:${digest}"`, 'accept-ranges': 'bytes', 'cache-control': 'max-age=31536000',
  };
  if (range) headers['content-range'] = `bytes ${range.start}-${range.end}/${blob.size}`;
  if (!whole) return reply(undefined, { headers });
  return reply(blob.size === 0 ? Buffer.alloc(0) : deps.blobs.open(digest, range), { status: range ? 206 : 200, headers });
}

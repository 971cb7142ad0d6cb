import { Type } from 'typebox';
import { type Call, type Endpoint, endpoint, reply } from '../../../../kernel/api/endpoint.ts';
import { tooLarge } from '../../../../kernel/fault.ts';
import type { RegistryDeps } from '../../deps.ts';
import { OCI_INDEX } from '../../model/manifests.ts';
import { parseDigest } from '../../model/registry/names.ts';
import { findReference, manifestUnknown, openOwnPlace, openPlace, repositoryTarget } from '../../model/registry/places.ts';
import { removeManifest, removeTag } from '../../model/registry/pushed-images.ts';
import { putManifest } from '../../model/registry/put-manifest.ts';
import { findManifest } from '../../store/manifests.ts';
import { findRepository, findTag, hasManifest, listReferrers } from '../../store/registry/repositories.ts';
import { readAll } from './base.ts';

const MAX_MANIFEST = 4 << 20;
const PATH = '/{name}/manifests/{reference}';

export const manifestEndpoints = (deps: RegistryDeps): Endpoint[] => [
  ...(['GET', 'HEAD'] as const).map((method) => endpoint({
    id: `registry:manifests:${method.toLowerCase()}`, method, path: PATH, summary: 'Pull a manifest', policy: 'registry_use', status: 200, reply: 'stream',
    handler: async (call) => sendManifest(deps, call as Call, method === 'GET'),
  })),
  endpoint({
    id: 'registry:manifests:put', method: 'PUT', path: PATH, summary: 'Push a manifest', policy: 'registry_push', status: 201, body: 'stream',
    target: (call) => repositoryTarget(deps, call),
    async handler(call) {
      const place = await openOwnPlace(deps, call);
      if (Number(call.headers['content-length'] ?? 0) > MAX_MANIFEST) throw tooLarge('registry.manifest-too-large', `A manifest may have ${MAX_MANIFEST} bytes at most.`, { type: 'SIZE_INVALID' });
      const body = await readAll(call.stream, MAX_MANIFEST);
      const { digest, subject } = await putManifest(deps, place, call.params.reference, body, call.headers['content-type']?.split(';', 1)[0]?.trim());
      const headers = { location: `/v2/${call.params.name}/manifests/sha256:${digest}`, 'docker-content-digest': `sha256:${digest}` };
      return reply(undefined, { headers: subject === null ? headers : { ...headers, 'oci-subject': `sha256:${subject}` } });
    },
  }),
  endpoint({
    id: 'registry:manifests:delete', method: 'DELETE', path: PATH, summary: 'Delete a manifest with its tags, or one tag', policy: 'registry_delete', status: 202,
    target: (call) => repositoryTarget(deps, call),
    handler: async (call) => deleteReference(deps, call as Call),
  }),
  endpoint({
    id: 'registry:referrers', method: 'GET', path: '/{name}/referrers/{digest}', summary: 'List what speaks about a manifest', policy: 'registry_use', status: 200,
    query: Type.Object({ artifactType: Type.Optional(Type.String({ maxLength: 255 })) }), reply: Type.Object({ schemaVersion: Type.Integer(), manifests: Type.Array(Type.Object({ digest: Type.String() })) }),
    async handler(call) {
      const place = await openPlace(deps, call as Call);
      const subject = parseDigest(call.params.digest);
      const visible = place.repository && (place.viewer === undefined || (await hasManifest(deps.db.read, place.repository.id, subject, place.viewer)));
      const rows = place.repository && visible ? await listReferrers(deps.db.read, place.repository.id, subject, call.query.artifactType, place.viewer) : [];
      const manifests = rows.map((row) => ({
        mediaType: row.media_type, digest: `sha256:${row.digest}`, size: row.size,
        ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }), ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) as object }),
      }));
      const headers = { 'content-type': OCI_INDEX, ...(call.query.artifactType === undefined ? {} : { 'oci-filters-applied': 'artifactType' }) };
      return reply({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, { headers });
    },
  }),
];

async function sendManifest(deps: RegistryDeps, call: Call, whole: boolean) {
  const { reference } = call.params as { reference: string };
  const digest = await findReference(deps, await openPlace(deps, call), reference);
  const row = await findManifest(deps.db.read, digest);
  if (!row) throw manifestUnknown(reference);
  const headers: Record<string, string> = { 'content-type': row.media_type, 'content-length': String(row.size), 'docker-content-digest': `sha256:${digest}`, etag: `"sha256:${digest}"` };
  if (call.headers['if-none-match'] === headers['etag']) return reply(undefined, { status: 304, headers: { etag: headers['etag']! } });
  return reply(whole ? Buffer.from(row.body, 'utf8') : undefined, { headers });
}

async function deleteReference(deps: RegistryDeps, call: Call): Promise<undefined> {
  const { reference } = call.params as { reference: string };
  const { project, name } = await openOwnPlace(deps, call);
  const repository = await findRepository(deps.db.read, project.id, name);
  if (!repository) throw manifestUnknown(reference);
  await deps.db.transaction(async (tx) => {
    if (reference.includes(':')) {
      const digest = parseDigest(reference);
      if (!(await hasManifest(tx, repository.id, digest, undefined))) throw manifestUnknown(reference);
      await removeManifest(tx, repository.id, digest);
      return;
    }
    const tag = await findTag(tx, repository.id, reference, undefined);
    if (!tag) throw manifestUnknown(reference);
    await removeTag(tx, repository.id, tag);
  });
  return undefined;
}

/** Where in the registry a call goes, with whose eyes, and what it finds there. */
import type { Call } from '../../../../kernel/api/endpoint.ts';
import { Fault, forbidden, notFound } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import type { RegistryDeps } from '../../deps.ts';
import { findMember } from '../../store/image-members.ts';
import { findImage, findNamedImage } from '../../store/images.ts';
import { findManifestBlob } from '../../store/manifests.ts';
import { findRepository, findTag, hasBlob, hasManifest, isDeactivated, type Repository, type Viewer } from '../../store/registry/repositories.ts';
import type { ImageRow } from '../../store/tables.ts';
import { findRegistryProject } from './logins.ts';
import { isTag, parseDigest, parseRepository } from './names.ts';

export type AnyCall = Pick<Call<any, any, any>, 'auth' | 'allows' | 'params'>;

/** A repository as somebody sees it. */
export interface Place {
  project: { id: string; name: string };
  /** Below the project. */
  name: string;
  /** Undefined: nothing was pushed there. */
  repository: Repository | undefined;
  /** Undefined: somebody of the project. */
  viewer: Viewer | undefined;
  /** An uploaded image that can be pulled under this name, if these eyes see it. */
  uploaded: ImageRow | undefined;
}

export const nameUnknown = (name: string): Fault => notFound('registry.name-unknown', 'There is no such repository, or it is not shared with you.', { type: 'NAME_UNKNOWN', detail: { name } });
export const manifestUnknown = (reference: string): Fault => notFound('registry.manifest-unknown', 'There is no such manifest in the repository.', { type: 'MANIFEST_UNKNOWN', detail: { reference } });
export const blobUnknown = (digest: string): Fault => notFound('registry.blob-unknown', 'There is no such blob in the repository.', { type: 'BLOB_UNKNOWN', detail: { digest } });

/** What the rules for changing a repository are checked against. Faults: 400. */
export async function repositoryTarget(deps: RegistryDeps, call: AnyCall): Promise<Record<string, unknown>> {
  const project = await findRegistryProject(deps, parseRepository((call.params as { name: string }).name).project);
  return { project_id: project?.id };
}

/** For pulling. Faults: 400, 404 nothing that the caller sees. */
export async function openPlace(deps: RegistryDeps, call: AnyCall, text = (call.params as { name: string }).name): Promise<Place> {
  const { project: owner, name } = parseRepository(text);
  const project = await findRegistryProject(deps, owner);
  if (!project) throw nameUnknown(text);
  const viewer = call.allows('registry_pull', { project_id: project.id }) ? undefined : { project_id: call.auth.project_id };
  const repository = await findRepository(deps.db.read, project.id, name);
  const uploaded = await findUploaded(deps, project.id, name, viewer);
  return { project, name, repository, viewer, uploaded };
}

async function findUploaded(deps: RegistryDeps, owner: string, name: string, viewer: Viewer | undefined): Promise<ImageRow | undefined> {
  const row = isUuid(name) ? await findImage(deps.db.read, name) : await findNamedImage(deps.db.read, owner, name);
  if (!row || row.owner !== owner || row.manifest_digest === null || row.status !== 'active') return undefined;
  if (viewer === undefined || row.visibility === 'public') return row;
  if (viewer.project_id === undefined) return undefined;
  if (row.visibility === 'community') return row;
  return row.visibility === 'shared' && (await findMember(deps.db.read, row.id, viewer.project_id)) ? row : undefined;
}

/** For changing; the rule has been checked. Faults: 400, 404. */
export async function openOwnPlace(deps: RegistryDeps, call: AnyCall): Promise<{ project: { id: string; name: string }; name: string; full: string }> {
  const full = (call.params as { name: string }).name;
  const { project: owner, name } = parseRepository(full);
  const project = await findRegistryProject(deps, owner);
  if (!project) throw nameUnknown(full);
  return { project, name, full: `${project.name}/${name}` };
}

/** @returns the digest of the manifest. Faults: 403 deactivated, 404. */
export async function findReference(deps: RegistryDeps, place: Place, reference: string): Promise<string> {
  const { repository, viewer, uploaded } = place;
  if (reference.includes(':')) {
    const digest = parseDigest(reference);
    if (uploaded?.manifest_digest === digest) return digest;
    if (repository === undefined || !(await hasManifest(deps.db.read, repository.id, digest, viewer))) throw manifestUnknown(reference);
    if (await isDeactivated(deps.db.read, repository.id, digest)) throw deactivated();
    return digest;
  }
  if (!isTag(reference)) throw manifestUnknown(reference);
  const tag = repository && (await findTag(deps.db.read, repository.id, reference, viewer));
  if (tag) {
    await checkActive(deps, tag.image_id);
    return tag.digest;
  }
  if (reference === 'latest' && uploaded?.manifest_digest) return uploaded.manifest_digest;
  throw manifestUnknown(reference);
}

const deactivated = (): Fault => forbidden('registry.deactivated', 'The image has been deactivated.', { type: 'DENIED' });

async function checkActive(deps: RegistryDeps, image_id: string | null): Promise<void> {
  const image = image_id === null ? undefined : await findImage(deps.db.read, image_id);
  if (image?.status === 'deactivated') throw deactivated();
}

export async function mayReadBlob(deps: RegistryDeps, place: Place, digest: string): Promise<boolean> {
  const { repository, viewer, uploaded } = place;
  if (repository && (await hasBlob(deps.db.read, repository.id, digest, viewer))) return true;
  return uploaded?.manifest_digest != null && (await findManifestBlob(deps.db.read, uploaded.manifest_digest, digest)) !== undefined;
}

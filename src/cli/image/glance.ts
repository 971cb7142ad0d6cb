/** Images of the cloud over its image API. */
import type { Readable } from 'node:stream';
import { ApiError, type Session } from '../api.ts';
import { CliError } from '../errors.ts';

export interface GlanceImage {
  id: string;
  name: string | null;
  status: string;
  visibility: string;
  owner: string;
  size: number | null;
  container_format: string | null;
  disk_format: string | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
  created_at: string;
  description?: string;
  os_glance_failed_import?: string;
}

const PAGE = 200;

/** All that the caller sees and that fits the query, newest first. @param query like `name=web`. */
export async function* listImages(session: Session, query = ''): AsyncGenerator<GlanceImage> {
  let marker = '';
  for (;;) {
    const { images } = (await session.call('image', 'GET', `/images?limit=${PAGE}${query === '' ? '' : `&${query}`}${marker}`)) as { images: GlanceImage[] };
    yield* images;
    const last = images.at(-1);
    if (last === undefined || images.length < PAGE) return;
    marker = `&marker=${last.id}`;
  }
}

/** By id, or by name; of several of one name the caller's own, else the only one. @throws CliError */
export async function findImage(session: Session, text: string): Promise<GlanceImage> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    const found = await session.call('image', 'GET', `/images/${text}`).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    if (found !== undefined) return found as GlanceImage;
  }
  for (const name of text.includes(':') ? [text] : [text, `${text}:latest`]) {
    const found = await Array.fromAsync(listImages(session, `name=${encodeURIComponent(name)}`));
    const own = found.filter((image) => image.owner === session.project_id);
    const [image, ...more] = own.length > 0 ? own : found;
    if (image === undefined) continue;
    if (more.length > 0) throw new CliError('GY-IMAGE-006', `${more.length + 1} images are named ${name}`, { next: `name one by its id: ${[image, ...more].map(({ id }) => id).slice(0, 3).join(', ')}` });
    return image;
  }
  throw new CliError('GY-IMAGE-005', `there is no image ${text}`, { next: './gantry image list' });
}

export interface NewImage {
  name: string;
  container_format: string;
  disk_format: string;
  visibility: string;
  properties: Record<string, string>;
}

/** Makes an image of these data; nothing stays when that fails. */
export async function createImage(session: Session, wanted: NewImage, data: () => Promise<Readable>): Promise<GlanceImage> {
  const { properties, ...attributes } = wanted;
  const { id } = (await session.call('image', 'POST', '/images', { ...attributes, ...properties })) as GlanceImage;
  try {
    await session.upload('image', `/images/${id}/file`, await data());
    return (await session.call('image', 'GET', `/images/${id}`)) as GlanceImage;
  } catch (error) {
    await session.call('image', 'DELETE', `/images/${id}`).catch(() => {});
    throw error;
  }
}

/** As a tag moves in a registry: what had the name before is kept, but hidden. */
export async function hideFormer(session: Session, image: GlanceImage): Promise<string[]> {
  const hidden: string[] = [];
  for await (const other of listImages(session, `name=${encodeURIComponent(image.name ?? '')}&owner=${session.project_id}`)) {
    if (other.id === image.id || other.status !== 'active' || other.created_at > image.created_at) continue;
    const patch = [{ op: 'replace', path: '/os_hidden', value: true }];
    await session.call('image', 'PATCH', `/images/${other.id}`, patch, { content_type: 'application/openstack-images-v2.1-json-patch' });
    hidden.push(other.id);
  }
  return hidden;
}

/** Images between the engine of this host, files, registries and the cloud. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../agents/compute/drivers/docker/engine.ts';
import type { Session } from '../api.ts';
import { CliError } from '../errors.ts';
import { publish, type Published } from './build.ts';
import { loadImage, saveImage } from './engine-images.ts';
import { createImage, findImage, type GlanceImage } from './glance.ts';
import { parseReference, referenceText } from './names.ts';

/** @param name in the cloud; undefined: as the engine calls it. */
export async function pushImage(engine: Engine, session: Session, local: string, name: string | undefined, visibility: string): Promise<Published> {
  const target = parseReference(name ?? withoutRegistry(local));
  return await publish(session, referenceText(target), visibility, () => saveImage(engine, local));
}

/** `127.0.0.1:5000/team/web:1` → `team/web:1` */
function withoutRegistry(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? rest.join('/') : reference;
}

/** @returns the image and its name in the engine. */
export async function pullImage(engine: Engine, session: Session, text: string, local: string | undefined): Promise<{ image: GlanceImage; reference: string }> {
  const image = await findImage(session, text);
  if (image.status !== 'active') throw new CliError('GY-IMAGE-009', `image ${text} is ${image.status}, not active`);
  if (image.container_format !== 'docker') throw new CliError('GY-IMAGE-010', `image ${text} is no container image but ${image.container_format ?? 'of no format'}`);
  const reference = referenceText(parseReference(local ?? image.name ?? image.id));
  const hash = image.os_hash_algo === null || image.os_hash_value === null ? undefined : { algorithm: image.os_hash_algo, value: image.os_hash_value };
  await loadImage(engine, await session.download('image', `/images/${image.id}/file`), reference, hash);
  return { image, reference };
}

export interface ImportPlan {
  /** A file, `http(s)://…` or `docker://…`. */
  source: string;
  name: string | undefined;
  container_format: string | undefined;
  disk_format: string | undefined;
  visibility: string;
  properties: Record<string, string>;
  timeout_ms: number;
}

/** A file is uploaded; anything else is fetched by the cloud itself. */
export async function importImage(session: Session, plan: ImportPlan): Promise<GlanceImage> {
  const remote = /^(docker|https?):\/\//i.test(plan.source);
  const disk_format = plan.disk_format ?? diskFormatOf(plan.source);
  const container_format = plan.container_format ?? (disk_format === 'raw' && !/\.(raw|img)$/i.test(plan.source) ? 'docker' : 'bare');
  const wanted = { name: plan.name ?? nameOf(plan.source), container_format, disk_format, visibility: plan.visibility, properties: plan.properties };
  if (remote) return await importRemote(session, plan, wanted);
  const file = await stat(plan.source).catch(() => undefined);
  if (file?.isFile() !== true) throw new CliError('GY-IMAGE-011', `${plan.source} is neither a file nor docker://… nor http(s)://…`, { next: './gantry image import docker://nginx:alpine' });
  return await createImage(session, wanted, async () => createReadStream(plan.source, { highWaterMark: 1024 * 1024 }));
}

async function importRemote(session: Session, plan: ImportPlan, { properties, ...attributes }: { properties: Record<string, string>; [key: string]: unknown }): Promise<GlanceImage> {
  const { id } = (await session.call('image', 'POST', '/images', { ...attributes, ...properties })) as GlanceImage;
  try {
    await session.call('image', 'POST', `/images/${id}/import`, { method: { name: 'web-download', uri: plan.source } });
    return await imported(session, id, plan);
  } catch (error) {
    await session.call('image', 'DELETE', `/images/${id}`).catch(() => {});
    throw error;
  }
}

async function imported(session: Session, id: string, plan: ImportPlan): Promise<GlanceImage> {
  const end = performance.now() + plan.timeout_ms;
  for (;;) {
    const image = (await session.call('image', 'GET', `/images/${id}`)) as GlanceImage;
    if (image.status === 'active') return image;
    const { tasks } = (await session.call('image', 'GET', `/images/${id}/tasks`)) as { tasks: { status: string; message?: string }[] };
    const last = tasks.find((task) => task.status === 'failure');
    if (last !== undefined) throw new CliError('GY-IMAGE-012', `the import failed: ${last.message || 'the image service names no reason'}`);
    if (performance.now() > end) throw new CliError('GY-IMAGE-013', `the import took longer than ${plan.timeout_ms / 1000} s`, { next: 'a longer --timeout' });
    await sleep(300);
  }
}

function diskFormatOf(source: string): string {
  const ending = /\.(qcow2|vmdk|vdi|vhdx?|iso)$/i.exec(source.replace(/[?#].*$/, ''))?.[1]?.toLowerCase();
  return ending ?? 'raw';
}

/** `docker://team/web:1` → `team/web:1`; a file or address by the last part of its path. */
function nameOf(source: string): string {
  const docker = /^docker:\/\/(.+)$/i.exec(source)?.[1];
  if (docker !== undefined) return /:[^/]+$/.test(withoutRegistry(docker)) ? withoutRegistry(docker) : `${withoutRegistry(docker)}:latest`;
  return source.replace(/[?#].*$/, '').split('/').findLast((part) => part !== '')?.replace(/\.(tar|qcow2|img|raw)(\.(gz|zst))?$/i, '') ?? source;
}

/** Glance's cache, which is on the nodes here: an image is cached where the engine has it, and queued until every node has. */
import { computeMethods, type DropOutcome, type ImageFetch, type ImageRef, type KeptImage } from '../../../agents/compute/protocol.ts';
import type { NodeInfo } from '../../../kernel/bus/node-link.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, isFault, notFound } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import { listQueue, queueRow, unqueueRow, unqueueRows } from '../store/cache-queue.ts';
import { findImage } from '../store/images.ts';
import type { ImageRow } from '../store/tables.ts';
import { createOnce, type Once } from './once.ts';

/** Times are seconds since 1970, as glance writes them; 0: never. */
export interface CachedImage {
  image_id: string;
  /** Servers and queues that found it there, on any node since its agent began. */
  hits: number;
  last_accessed: number;
  last_modified: number;
  /** Bytes on one node; layers that others have too count. */
  size: number;
}

export type CacheTarget = 'cache' | 'queue' | 'both';

const NODES_AT_ONCE = 8;
const PORTION = 200;
const ASK_MS = 15_000;
/** For a large image over a slow link. */
const FETCH_MS = 3_600_000;

async function computeNodes(deps: TaskDeps): Promise<NodeInfo[]> {
  return ((await deps.nodes?.nodes()) ?? []).filter((node) => node.state === 'up' && !node.disabled && node.roles.includes('compute'));
}

/** Several at a time. @returns of each node what it answered, or the error. */
async function askAll<T>(deps: TaskDeps, nodes: readonly NodeInfo[], method: string, params: object, timeout_ms: number): Promise<(T | Error)[]> {
  const answers: (T | Error)[] = [];
  const waiting = [...nodes.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, node] = next;
      answers[at] = await deps.nodes!.call<T>(node.id, method, params, { timeout_ms }).catch((error: unknown) => {
        deps.log.warn({ err: error, host: node.hostname, method, ...params }, 'a node did not do what its cache was asked for');
        return error as Error;
      });
    }
  };
  await Promise.all(Array.from({ length: NODES_AT_ONCE }, worker));
  return answers;
}

const answered = <T>(answers: readonly (T | Error)[]): T[] => answers.filter((one): one is T => !(one instanceof Error));
const seconds = (iso: string | null): number => (iso === null ? 0 : new Date(iso).getTime() / 1000);

/** Nodes that do not answer in time are left out. */
export async function listCache(deps: TaskDeps): Promise<{ cached_images: CachedImage[]; queued_images: string[] }> {
  const found = new Map<string, CachedImage>();
  for (const kept of answered(await askAll<KeptImage[]>(deps, await computeNodes(deps), computeMethods.keptImages, {}, ASK_MS)).flat()) {
    const old = found.get(kept.image_id);
    const now: CachedImage = { image_id: kept.image_id, hits: kept.hits, last_accessed: seconds(kept.last_used), last_modified: seconds(kept.kept_since), size: kept.size };
    found.set(kept.image_id, old === undefined ? now : {
      ...now, hits: old.hits + now.hits, last_accessed: Math.max(old.last_accessed, now.last_accessed), last_modified: Math.max(old.last_modified, now.last_modified), size: Math.max(old.size, now.size),
    });
  }
  const queued_images = (await Array.fromAsync(queuePortions(deps))).flat();
  return { cached_images: [...found.values()].sort((a, b) => (a.image_id < b.image_id ? -1 : 1)), queued_images };
}

/** Ids, in portions. */
async function* queuePortions({ db }: TaskDeps): AsyncGenerator<string[]> {
  for (let portion = await listQueue(db.read, '', PORTION); portion.length > 0; portion = await listQueue(db.read, portion.at(-1)!, PORTION)) yield portion;
}

/** As compute tells a node of it. Undefined: no server could run it. */
function refOf({ id, container_format, conversion_state, digest, manifest_digest, size, disk_format }: ImageRow): ImageRef | undefined {
  const known = container_format === 'docker' ? (digest ?? manifest_digest) : container_format === 'bare' && conversion_state === 'done' ? manifest_digest : null;
  return known === null || size === null ? undefined : { id, digest: known, size, container_format: container_format!, disk_format: disk_format ?? 'raw' };
}

/** Faults: 400 not active, or nothing that nodes could keep. */
export async function queueImage(deps: TaskDeps, filling: Once, row: ImageRow): Promise<void> {
  if (row.status !== 'active') throw badRequest('image.wrong-state', 'Only images with status active can be targeted for queueing');
  if (refOf(row) === undefined) throw badRequest('image.not-runnable', `Image ${row.id} has no container form that nodes could keep.`);
  await deps.db.transaction((tx) => queueRow(tx, row.id, isoMicros(deps.clock.now())));
  filling.poke();
}

/** Takes it out of the queue and off the nodes. Faults: 404 it was in neither, 409 servers were made from it wherever it is. */
export async function uncacheImage(deps: TaskDeps, image_id: string): Promise<void> {
  const queued = await deps.db.transaction((tx) => unqueueRow(tx, image_id));
  const outcomes = answered(await askAll<DropOutcome>(deps, await computeNodes(deps), computeMethods.dropImage, { image_id }, ASK_MS));
  if (queued || outcomes.includes('removed')) return;
  if (outcomes.includes('in-use')) throw conflict('image.cache-in-use', `Image ${image_id} cannot be removed from the nodes: there are servers made from it.`);
  throw notFound('image.not-cached', `Image ${image_id} is neither cached nor queued.`);
}

/** What servers were made from stays. */
export async function clearCache(deps: TaskDeps, target: CacheTarget): Promise<void> {
  if (target !== 'cache') for await (const portion of queuePortions(deps)) await deps.db.transaction((tx) => unqueueRows(tx, portion));
  if (target === 'queue') return;
  const nodes = await computeNodes(deps);
  const ids = new Set(answered(await askAll<KeptImage[]>(deps, nodes, computeMethods.keptImages, {}, ASK_MS)).flat().map(({ image_id }) => image_id));
  for (const image_id of ids) await askAll(deps, nodes, computeMethods.dropImage, { image_id }, ASK_MS);
}

/** Brings what is queued to every node that is there; what a node could not take for reasons of its own is tried again. */
export function createCacheFilling(deps: TaskDeps): Once {
  const fill = async (): Promise<number> => {
    let done = 0;
    for await (const portion of queuePortions(deps)) {
      for (const image_id of portion) if (await bring(deps, image_id)) done += 1;
    }
    return done;
  };
  return createOnce(fill, (error) => deps.log.error({ err: error }, 'queued images could not be brought to the nodes'));
}

/** @returns whether it is in the queue no longer. */
async function bring(deps: TaskDeps, image_id: string): Promise<boolean> {
  const row = await findImage(deps.db.read, image_id);
  const ref = row && refOf(row);
  const nodes = await computeNodes(deps);
  if (ref !== undefined && nodes.length === 0) return false;
  const answers = ref === undefined ? [] : await askAll<ImageFetch>(deps, nodes, computeMethods.prefetch, { image: ref }, FETCH_MS);
  const passing = answers.some((one) => one instanceof Error && !(isFault(one) && one.status < 500));
  if (passing) return false;
  await deps.db.transaction((tx) => unqueueRow(tx, image_id));
  return true;
}

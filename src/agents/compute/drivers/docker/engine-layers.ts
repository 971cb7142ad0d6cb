/** What the engine holds already, and for which stored blobs that may be used. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isEngineStatus } from './engine-error.ts';
import type { Engine } from './engine.ts';

const INSPECTS_AT_ONCE = 8;

interface ImageInspect {
  RootFS?: { Layers?: string[] | null };
}

interface StorageInfo {
  DriverStatus?: [string, string][] | null;
}

export interface EngineLayers {
  /** Of these layers (diff ids, from the lowest up) how many the engine has, one on the other. */
  countPresent(diffIds: readonly string[]): Promise<number>;
  /** All diff ids that an image of the engine is made of. */
  all(): Promise<Set<string>>;
}

/** Layers are told by those of the engine's images: a layer that belongs to none may go at any time. */
export function createEngineLayers(engine: Engine): EngineLayers {
  // By id, which is a digest: what it names never changes.
  let known = new Map<string, readonly string[]>();

  async function refresh(): Promise<void> {
    const ids = (await engine.json<{ Id: string }[]>('GET', '/images/json')).map((one) => one.Id);
    const next = new Map<string, readonly string[]>();
    const waiting = [...new Set(ids)];
    const worker = async (): Promise<void> => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
        const layers = known.get(id) ?? (await layersOf(engine, id));
        if (layers !== undefined) next.set(id, layers);
      }
    };
    await Promise.all(Array.from({ length: INSPECTS_AT_ONCE }, worker));
    known = next;
  }

  return {
    async countPresent(diffIds) {
      if (await needsWholeArchives(engine)) return 0;
      await refresh();
      return Math.max(0, ...[...known.values()].map((layers) => commonLength(layers, diffIds)));
    },
    async all() {
      await refresh();
      return new Set([...known.values()].flat());
    },
  };
}

async function layersOf(engine: Engine, id: string): Promise<readonly string[] | undefined> {
  try {
    const image = await engine.json<ImageInspect>('GET', `/images/${id}/json`);
    return (image.RootFS?.Layers ?? []).map((layer) => layer.replace(/^sha256:/, ''));
  } catch (error) {
    if (isEngineStatus(error, 404)) return undefined;
    throw error;
  }
}

/** containerd's image store imports the blobs of an archive and looks for no layer of its own. */
async function needsWholeArchives(engine: Engine): Promise<boolean> {
  const { DriverStatus } = await engine.json<StorageInfo>('GET', '/info');
  return (DriverStatus ?? []).some(([name, value]) => name === 'driver-type' && value.includes('snapshotter'));
}

function commonLength(a: readonly string[], b: readonly string[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

/**
 * Which blobs were seen on this node to unpack to which layer. An image's own word for that is not enough to be given a
 * layer that the node has: with it, anybody could name the layer of somebody else's private image and read it.
 */
export interface VerifiedLayers {
  isVerified(layer: { digest: string; diff_id: string }): Promise<boolean>;
  /** `keep`: the diff ids that are still worth remembering. */
  add(layers: readonly { digest: string; diff_id: string }[], keep: ReadonlySet<string>): Promise<void>;
}

/** One JSON file, replaced as a whole. Without it layers are fetched once more, no worse. */
export function createVerifiedLayers(path: string): VerifiedLayers {
  let loaded: Promise<Map<string, string>> | undefined;
  let writing: Promise<void> = Promise.resolve();
  const load = (): Promise<Map<string, string>> => (loaded ??= readPairs(path));

  return {
    // An unpacked blob is its own layer: whoever may name the one has the other.
    isVerified: async ({ digest, diff_id }) => digest === diff_id || (await load()).get(digest) === diff_id,
    async add(layers, keep) {
      const pairs = await load();
      for (const { digest, diff_id } of layers) pairs.set(digest, diff_id);
      for (const [digest, diffId] of pairs) if (!keep.has(diffId)) pairs.delete(digest);
      const text = JSON.stringify(Object.fromEntries(pairs));
      writing = writing.catch(() => {}).then(async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await writeFile(`${path}.new`, text, { mode: 0o600 });
        await rename(`${path}.new`, path);
      });
      await writing;
    },
  };
}

async function readPairs(path: string): Promise<Map<string, string>> {
  try {
    return new Map(Object.entries(JSON.parse(await readFile(path, 'utf8')) as Record<string, string>));
  } catch {
    return new Map();
  }
}

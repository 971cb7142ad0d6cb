/** Which images of this cloud the engine has, and how they go again. */
import type { Clock } from '../../../../kernel/clock.ts';
import type { DropOutcome, KeptImage } from '../../protocol.ts';
import { imageRepository } from './container-config.ts';
import { isEngineStatus } from './engine-error.ts';
import type { Engine } from './engine.ts';

export interface KeptImages {
  /** It has come just now. */
  brought(image_id: string): void;
  /** Somebody wanted it, and it was there. */
  used(image_id: string): void;
  list(): Promise<KeptImage[]>;
  drop(image_id: string): Promise<DropOutcome>;
}

export function createKeptImages(engine: Engine, cloud: string, clock: Clock): KeptImages {
  /** The engine notes no time when it loads one. */
  const since = new Map<string, string>();
  const uses = new Map<string, { hits: number; last_used: string }>();

  async function list(): Promise<KeptImage[]> {
    const kept = new Map<string, KeptImage>();
    for (const { tag, size } of await tagsOf(engine, imageRepository(cloud, '*'))) {
      const image_id = tag.slice(imageRepository(cloud, '').length, tag.lastIndexOf(':'));
      const old = kept.get(image_id);
      kept.set(image_id, { image_id, size: Math.max(size, old?.size ?? 0), kept_since: since.get(image_id) ?? null, hits: 0, last_used: null, ...uses.get(image_id) });
    }
    return [...kept.values()];
  }

  async function drop(image_id: string): Promise<DropOutcome> {
    if (!/^[0-9a-f-]{32,36}$/i.test(image_id)) return 'absent';
    const outcomes: DropOutcome[] = [];
    for (const { tag } of await tagsOf(engine, imageRepository(cloud, image_id))) outcomes.push(await untag(engine, tag));
    if (outcomes.includes('in-use')) return 'in-use';
    uses.delete(image_id.toLowerCase());
    return outcomes.includes('removed') ? 'removed' : 'absent';
  }

  return {
    brought: (image_id) => void since.set(image_id.toLowerCase(), clock.now().toISOString()),
    used(image_id) {
      const id = image_id.toLowerCase();
      uses.set(id, { hits: (uses.get(id)?.hits ?? 0) + 1, last_used: clock.now().toISOString() });
    },
    list,
    drop,
  };
}

/** @param reference a repository; `*` stands for its last part. An engine image may have tags of others too. */
async function tagsOf(engine: Engine, reference: string): Promise<{ tag: string; size: number }[]> {
  const prefix = reference.endsWith('*') ? reference.slice(0, -1) : `${reference}:`;
  const found = await engine.json<{ RepoTags: string[] | null; Size: number }[]>('GET', '/images/json', { query: { filters: JSON.stringify({ reference: [reference] }) } });
  return found.flatMap(({ RepoTags, Size }) => (RepoTags ?? []).filter((tag) => tag.startsWith(prefix)).map((tag) => ({ tag, size: Size })));
}

async function untag(engine: Engine, tag: string): Promise<DropOutcome> {
  try {
    await engine.json('DELETE', `/images/${tag}`);
    return 'removed';
  } catch (error) {
    if (isEngineStatus(error, 404)) return 'absent';
    if (isEngineStatus(error, 409)) return 'in-use';
    throw error;
  }
}

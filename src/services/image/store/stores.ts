/** The places that keep image data, by the names that the API knows them by. */
import { constants } from 'node:fs';
import { access, mkdir, realpath } from 'node:fs/promises';
import { badRequest } from '../../../kernel/fault.ts';
import type { BlobStore } from './blobs.ts';
import { createFileBlobs } from './file-blobs.ts';

export interface Stores {
  default_id: string;
  /** The default one first. */
  ids: readonly string[];
  has(id: string): boolean;
  /** Faults: 400 for a name that is none of ours. */
  of(id: string): BlobStore;
  /** Where it keeps its bytes, for administrators; undefined for what is no folder. */
  folderOf(id: string): string | undefined;
}

/** @param more `name=/folder`, as configured */
export function createStores(first: { id: string; blobs: BlobStore; folder: string | undefined }, more: readonly string[]): Stores {
  const stores = new Map<string, { blobs: BlobStore; folder: string | undefined }>([[first.id, { blobs: first.blobs, folder: first.folder }]]);
  for (const text of more) {
    const at = text.indexOf('=');
    const [id, folder] = [text.slice(0, at), text.slice(at + 1)];
    if (stores.has(id)) throw new Error(`[image] more_stores: there are two stores ${id}`);
    stores.set(id, { blobs: createFileBlobs(folder), folder });
  }
  const known = (id: string): BlobStore => {
    const store = stores.get(id);
    if (!store) throw badRequest('image.store-unknown', `There is no store ${id} at this site.`);
    return store.blobs;
  };
  return {
    default_id: first.id,
    ids: [...stores.keys()],
    has: (id) => stores.has(id),
    of: known,
    folderOf: (id) => stores.get(id)?.folder,
  };
}

/** Throws unless image data can be kept in the folder of each further store, made when missing. */
export async function checkStores({ ids, folderOf }: Pick<Stores, 'ids' | 'folderOf'>): Promise<void> {
  const taken = new Map<string, string>();
  for (const id of ids) {
    const folder = folderOf(id);
    if (folder === undefined) continue;
    const path = await usable(folder).catch((error: unknown) => {
      throw new Error(`[image] the folder of the store ${id} cannot be used: ${(error as Error).message}`, { cause: error });
    });
    if (taken.has(path)) throw new Error(`[image] the stores ${taken.get(path)} and ${id} have the same folder, ${folder}`);
    taken.set(path, id);
  }
}

async function usable(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  return realpath(folder);
}

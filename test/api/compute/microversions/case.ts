import type { VersionWorld } from './world.ts';

/** How the answer of one published sample is had here. */
export interface Case {
  method: 'GET' | 'POST' | 'PUT';
  path: string | ((world: VersionWorld, minor: number) => string | Promise<string>);
  body?: (world: VersionWorld, minor: number) => unknown;
  /** Only at these versions, around which something changes: the call takes long. */
  at?: number[];
  /** The last version that has the call: from the next on it is a 404. */
  until?: number;
  /** The first, where it is older than the sample. */
  since?: number;
  /** Older versions have the call as well, without what this asks of it. */
  older?: true;
  who?: (minor: number) => 'admin' | 'member';
  /** Takes away what the call has made, so that it can be made again. */
  after?: (world: VersionWorld, answer: any, minor: number) => Promise<unknown>;
  /** Versions whose sample shows something else; the one before is taken. */
  skip?: number[];
  /** Differences that are right, with the reason. */
  forgive?: readonly (readonly [difference: RegExp, reason: string, from?: number, to?: number])[];
}

/** By sample; a text says why there is nothing to compare with. */
export type Cases = Record<string, Case | string>;

export const get = (path: Case['path'], more: Partial<Case> = {}): Case => ({ method: 'GET', path, ...more });
export const post = (path: Case['path'], body: NonNullable<Case['body']>, more: Partial<Case> = {}): Case => ({ method: 'POST', path, body, ...more });
export const put = (path: Case['path'], body: NonNullable<Case['body']>, more: Partial<Case> = {}): Case => ({ method: 'PUT', path, body, ...more });

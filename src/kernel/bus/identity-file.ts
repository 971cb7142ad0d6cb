import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isUuid, uuid } from '../ids.ts';

/** Who a node is. It makes id and key itself and keeps them before it joins, so that a crash in between costs nothing. */
export interface Identity {
  node_id: string;
  key: string;
  /** True once a controller has taken the node in: from then on the key alone counts. */
  joined: boolean;
}

/** Reads the identity, or makes and writes a new one. @throws Error when the file is there but of no use. */
export function loadIdentity(path: string): Identity {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const identity = { node_id: uuid(), key: randomBytes(32).toString('base64url'), joined: false };
    saveIdentity(path, identity);
    return identity;
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  return parse(text, path);
}

/** Whole or not at all, for the owner's eyes only. */
export function saveIdentity(path: string, identity: Identity): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(identity, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

function parse(text: string, path: string): Identity {
  let value: Partial<Identity> = {};
  try {
    value = (JSON.parse(text) ?? {}) as Partial<Identity>;
  } catch {
    // told below
  }
  const { node_id, key, joined } = value;
  if (typeof node_id !== 'string' || !isUuid(node_id) || typeof key !== 'string' || typeof joined !== 'boolean') {
    throw new Error(`${path} holds no identity of a node; remove it to let the node join anew`);
  }
  return { node_id, key, joined };
}

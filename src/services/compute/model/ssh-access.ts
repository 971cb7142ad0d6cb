/** Which servers a key opens, and whether ssh may be answered on their behalf. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { isUuid } from '../../../kernel/ids.ts';
import type { ComputeDeps } from '../deps.ts';
import { findBoot, findServer, findServersByName } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { metadataOf } from './server-row.ts';

type Deps = Pick<ComputeDeps, 'db'>;

/** Metadata `docker:ssh` = `no` keeps port 22 for the guest. */
export function mayHaveDoor(row: Pick<ServerRow, 'metadata_json'>): boolean {
  return !/^(no|off|false|0)$/i.test(metadataOf(row)['docker:ssh'] ?? '');
}

/** The server that this key was given to, of all with this id or name; undefined when there is none, or more than one. */
export async function serverOfKey(deps: Deps, wanted: string, key: Buffer): Promise<ServerRow | undefined> {
  const db = deps.db.read as Kysely<ComputeTables>;
  const named = isUuid(wanted) ? [await findServer(db, wanted.toLowerCase())] : await findServersByName(db, wanted);
  const opened: ServerRow[] = [];
  for (const row of named) {
    if (row === undefined || row.deleted === 1) continue;
    const boot = await findBoot(db, row.id);
    if (boot?.public_key != null && isKey(boot.public_key, key)) opened.push(row);
  }
  return opened.length === 1 ? opened[0] : undefined;
}

/** @param line `ssh-ed25519 AAAA… comment`. @param key its middle, decoded. */
function isKey(line: string, key: Buffer): boolean {
  const own = Buffer.from(line.trim().split(/\s+/)[1] ?? '', 'base64');
  const hash = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
  return own.length > 0 && timingSafeEqual(hash(own), hash(key));
}

import { badResource, tagNotFound } from '../faults.ts';
import { bumpRevision } from '../store/revisions.ts';
import type { Tx } from '../store/tables.ts';
import { addTags, removeTags, tagsOf } from '../store/tags.ts';
import { instant, type NetworkDeps } from '../deps.ts';
import { patchPort } from './ports.ts';

export const MAX_TAGS = 50;

export type TaggedTable = 'network_networks' | 'network_subnets' | 'network_ports' | 'network_security_groups' | 'network_routers' | 'network_floating_ips';

/** One tag more, all tags replaced, one less, or none: counts a revision when anything differs. */
export type TagChange = { add: string } | { replace: string[] } | { remove: string } | { clear: true };

/** Faults: 404 TagNotFound; 400 too many. @returns the tags it has then. */
export async function changeTags(env: NetworkDeps, tx: Tx, table: TaggedTable, id: string, change: TagChange): Promise<string[]> {
  const before = (await tagsOf(tx, [id])).get(id) ?? [];
  if ('remove' in change) {
    if ((await removeTags(tx, [id], change.remove)) === 0) throw tagNotFound(change.remove);
  } else if ('add' in change) await addTags(tx, id, [change.add]);
  else {
    await removeTags(tx, [id]);
    if ('replace' in change) await addTags(tx, id, change.replace);
  }
  const after = (await tagsOf(tx, [id])).get(id) ?? [];
  if (after.length > MAX_TAGS) throw badResource(table.replace('network_', ''), `The number of tags exceed the per-resource limit of ${MAX_TAGS}`);
  if (before.join('\n') !== after.join('\n')) await touch(env, tx, table, id, after);
  return after;
}

async function touch(env: NetworkDeps, tx: Tx, table: TaggedTable, id: string, tags: readonly string[]): Promise<void> {
  if (table === 'network_ports') await patchPort(env, tx, id, () => ({ tags: JSON.stringify(tags) }), true);
  else await bumpRevision(tx, table, id, instant(env));
}

/** Images brought to nodes before a server asks for them. */
import { computeMethods, type ImageFetch, type ImageRef } from '../../../agents/compute/protocol.ts';
import { as } from '../../../kernel/db/database.ts';
import { badRequest, conflict, isFault } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes, type NumberedNodeRow } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';

type Deps = Pick<ComputeDeps, 'db' | 'nodes' | 'config' | 'log'>;

/** So many nodes fetch at a time: the store serves them all. */
const NODES_AT_ONCE = 8;

export interface PrefetchedHost extends Partial<ImageFetch> {
  host: string;
  /** `present`: it was there before. */
  status: 'present' | 'fetched' | 'failed';
  /** Why it failed, for users. */
  message?: string;
}

/**
 * Brings the image to these hosts, or to every enabled one; each tells how it went.
 * @throws Fault 400 unknown host, 409 no host to bring it to.
 */
export async function prefetchImage(deps: Deps, image: ImageRef, hosts: readonly string[] | undefined): Promise<PrefetchedHost[]> {
  const nodes = await chosenNodes(deps, hosts);
  if (nodes.length === 0) throw conflict('compute.no-hosts', 'There is no host to bring the image to.');
  const results: PrefetchedHost[] = [];
  const waiting = [...nodes];
  const worker = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) results.push(await fetchTo(deps, node, image));
  };
  await Promise.all(Array.from({ length: NODES_AT_ONCE }, worker));
  return results.sort((a, b) => (a.host < b.host ? -1 : 1));
}

async function chosenNodes(deps: Deps, hosts: readonly string[] | undefined): Promise<NumberedNodeRow[]> {
  const nodes = await listNodes(as<ComputeTables>(deps.db).read);
  if (hosts === undefined) return nodes.filter((node) => node.disabled === 0 && node.forced_down === 0);
  const known = new Map(nodes.map((node) => [node.host, node]));
  return [...new Set(hosts)].map((host) => {
    const node = known.get(host);
    if (node === undefined) throw badRequest('compute.host-unknown', `Compute host ${host} could not be found.`);
    return node;
  });
}

async function fetchTo(deps: Deps, node: NumberedNodeRow, image: ImageRef): Promise<PrefetchedHost> {
  try {
    const fetched = await deps.nodes.call<ImageFetch>(node.id, computeMethods.prefetch, { image }, { timeout_ms: deps.config.boot_timeout * 1000 });
    deps.log.info({ image_id: image.id, host: node.host, ...fetched }, 'an image was brought to a node');
    return { host: node.host, status: fetched.present ? 'present' : 'fetched', ...fetched };
  } catch (error) {
    deps.log.warn({ err: error, image_id: image.id, host: node.host }, 'an image could not be brought to a node');
    return { host: node.host, status: 'failed', message: isFault(error) ? error.message : 'An unexpected error on the node.' };
  }
}

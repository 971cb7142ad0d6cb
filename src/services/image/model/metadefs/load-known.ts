/** Puts the well-known definitions in place, each once in the life of a cloud. */
import { isoMicros } from '../../../../kernel/clock.ts';
import type { ImageDeps } from '../../deps.ts';
import { claimLoaded, listLoaded } from '../../store/metadefs/loaded.ts';
import { findNamespace } from '../../store/metadefs/namespaces.ts';
import { addResourceTypes } from '../../store/metadefs/resource-types.ts';
import { computeDefinitions } from './known/compute.ts';
import { containerDefinitions } from './known/containers.ts';
import type { Definition } from './known/define.ts';
import { imageDefinitions } from './known/images.ts';
import { softwareDefinitions } from './known/software.ts';
import { planNamespace, writeNamespace } from './namespaces.ts';

export const knownDefinitions: readonly Definition[] = [...computeDefinitions, ...imageDefinitions, ...softwareDefinitions, ...containerDefinitions];

/** There even when no definition names them: clients offer them for new associations. */
const RESOURCE_TYPES = ['OS::Cinder::Volume', 'OS::Glance::Image', 'OS::Nova::Aggregate', 'OS::Nova::Flavor', 'OS::Nova::Server', 'OS::Trove::Instance'];
/** To whom they belong; no project has this id. */
const OWNER = 'admin';

/**
 * What was put in place once is the operator's from then on: changed, it stays changed, and deleted, it stays deleted.
 * A namespace of that name which is there already is left alone.
 */
export async function loadKnownDefinitions(deps: ImageDeps): Promise<void> {
  const all = knownDefinitions.map(({ namespace }) => namespace);
  const done = await listLoaded(deps.db.read, all);
  if (done.length === all.length) return;
  const loaded = await deps.db.transaction(async (tx) => {
    const now = isoMicros(deps.clock.now());
    const claimed = new Set(await claimLoaded(tx, all, now));
    await addResourceTypes(tx, RESOURCE_TYPES.map((name) => ({ name, created_at: now, updated_at: now })));
    for (const definition of knownDefinitions) {
      if (!claimed.has(definition.namespace) || (await findNamespace(tx, definition.namespace))) continue;
      const { row, items, associations } = planNamespace(OWNER, definition, now);
      await writeNamespace(tx, row, items, associations);
    }
    return claimed.size;
  });
  deps.log.info({ namespaces: loaded }, 'metadata definitions put in place');
}

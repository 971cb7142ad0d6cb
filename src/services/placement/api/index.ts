import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { formatVersion } from '../../../kernel/api/microversion.ts';
import type { PlacementDeps } from '../deps.ts';
import { placementVersions } from '../versions.ts';
import { allocationCandidateEndpoints } from './allocation-candidates.ts';
import { allocationEndpoints } from './allocations.ts';
import { inventoryEndpoints } from './inventories.ts';
import { providerAggregateEndpoints } from './provider-aggregates.ts';
import { providerTraitEndpoints } from './provider-traits.ts';
import { resourceClassEndpoints } from './resource-classes.ts';
import { resourceProviderEndpoints } from './resource-providers.ts';
import { traitEndpoints } from './traits.ts';
import { usageEndpoints } from './usages.ts';

export const placementEndpoints = (deps: PlacementDeps): Endpoint[] => [
  ...versionEndpoints(),
  ...resourceProviderEndpoints(deps),
  ...inventoryEndpoints(deps),
  ...providerTraitEndpoints(deps),
  ...providerAggregateEndpoints(deps),
  ...resourceClassEndpoints(deps),
  ...traitEndpoints(deps),
  ...allocationEndpoints(deps),
  ...allocationCandidateEndpoints(deps),
  ...usageEndpoints(deps),
];

/** One version, 1.0, whose microversions are all there is. */
function versionEndpoints(): Endpoint[] {
  const version = {
    id: 'v1.0', min_version: formatVersion(placementVersions.min), max_version: formatVersion(placementVersions.max), status: 'CURRENT',
    links: [{ rel: 'self', href: '' }],
  };
  return ['', '/'].map((path) =>
    endpoint({ id: `versions${path}`, method: 'GET', path, summary: 'Versions', policy: 'public', status: 200, handler: () => ({ versions: [version] }) }),
  );
}

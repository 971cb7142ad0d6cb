/** Placement: what the nodes have, and who holds how much of it. */
import type { Clock } from '../../kernel/clock.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import { placementEndpoints } from './api/index.ts';
import type { PlacementClient } from './client.ts';
import type { PlacementDeps } from './deps.ts';
import { formatFault } from './faults.ts';
import { createPlacementClient } from './model/placement.ts';
import { placementPolicies } from './policies.ts';
import { migrations } from './store/migrations/index.ts';
import type { PlacementTables } from './store/tables.ts';
import { placementVersions } from './versions.ts';

export interface PlacementService {
  service: Service;
  client: PlacementClient;
}

export function createPlacementService(options: { db: Database; clock: Clock; log: Log }): PlacementService {
  const deps: PlacementDeps = { ...options, db: as<PlacementTables>(options.db) };
  const service: Service = {
    name: 'placement',
    prefix: '/placement',
    microversions: placementVersions,
    endpoints: placementEndpoints(deps),
    policies: placementPolicies,
    formatFault,
    tasks: [],
    jobs: [],
    migrations,
  };
  return { service, client: createPlacementClient(deps) };
}

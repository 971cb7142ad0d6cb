import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../deps.ts';
import { resourceEndpoints } from './resources.ts';
import { serverCreateEndpoints } from './server-create.ts';
import { serverEndpoints } from './servers.ts';

/** Every call of the Compute API. */
export const computeEndpoints = (deps: ComputeDeps): Endpoint[] => [
  ...resourceEndpoints(deps),
  ...serverCreateEndpoints(deps),
  ...serverEndpoints(deps),
];

import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { chunkEndpoints } from './chunks.ts';
import { limitEndpoints, limitPolicies } from './limits.ts';
import { placeEndpoints } from './places.ts';
import { quotaEndpoints, quotaPolicies } from './quotas.ts';
import { typeEndpoints, typePolicies } from './types.ts';
import { versionsDocumentEndpoints } from './versions.ts';
import { volumeEndpoints, volumePolicies } from './volumes.ts';

export const blockStorageEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  ...versionsDocumentEndpoints(), ...volumeEndpoints(deps), ...typeEndpoints(deps), ...limitEndpoints(deps), ...quotaEndpoints(deps), ...placeEndpoints(deps), ...chunkEndpoints(deps),
];

export const blockStoragePolicies: PolicyRule[] = [...volumePolicies, ...typePolicies, ...limitPolicies, ...quotaPolicies];

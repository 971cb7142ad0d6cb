import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { attachmentEndpoints, attachmentPolicies } from './attachments.ts';
import { backupEndpoints, backupPolicies } from './backups.ts';
import { chunkEndpoints } from './chunks.ts';
import { clusterEndpoints, clusterPolicies } from './clusters.ts';
import { groupTypeEndpoints, groupTypePolicies } from './group-types.ts';
import { groupEndpoints, groupPolicies } from './groups.ts';
import { limitEndpoints, limitPolicies } from './limits.ts';
import { messageEndpoints, messagePolicies } from './messages.ts';
import { metadataEndpoints, metadataPolicies } from './metadata.ts';
import { placeEndpoints, placePolicies } from './places.ts';
import { qosEndpoints, qosPolicies } from './qos-specs.ts';
import { quotaEndpoints, quotaPolicies } from './quotas.ts';
import { snapshotEndpoints, snapshotPolicies } from './snapshots.ts';
import { transferEndpoints, transferPolicies } from './transfers.ts';
import { typePartEndpoints, typePartPolicies } from './types-parts.ts';
import { typeEndpoints, typePolicies } from './types.ts';
import { versionsDocumentEndpoints } from './versions.ts';
import { volumeActionEndpoints, volumeActionPolicies } from './volume-actions.ts';
import { volumeEncryptionEndpoints, volumeEncryptionPolicies } from './volume-encryption.ts';
import { volumeEndpoints, volumePolicies } from './volumes.ts';

export const blockStorageEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  ...versionsDocumentEndpoints(), ...volumeEndpoints(deps), ...typeEndpoints(deps), ...limitEndpoints(deps), ...quotaEndpoints(deps), ...placeEndpoints(deps), ...chunkEndpoints(deps),
  ...volumeActionEndpoints(deps), ...metadataEndpoints(deps), ...snapshotEndpoints(deps), ...attachmentEndpoints(deps),
  ...qosEndpoints(deps), ...typePartEndpoints(deps), ...messageEndpoints(deps), ...transferEndpoints(deps), ...backupEndpoints(deps), ...groupTypeEndpoints(deps), ...groupEndpoints(deps), ...volumeEncryptionEndpoints(deps), ...clusterEndpoints(),
];

export const blockStoragePolicies: PolicyRule[] = [
  ...volumePolicies, ...typePolicies, ...limitPolicies, ...quotaPolicies, ...volumeActionPolicies, ...metadataPolicies, ...snapshotPolicies, ...attachmentPolicies,
  ...qosPolicies, ...typePartPolicies, ...messagePolicies, ...placePolicies, ...transferPolicies, ...backupPolicies, ...groupTypePolicies, ...groupPolicies, ...volumeEncryptionPolicies, ...clusterPolicies,
];

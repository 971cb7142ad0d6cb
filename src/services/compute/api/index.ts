import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../deps.ts';
import { instanceActionEndpoints } from './instance-actions.ts';
import { resourceEndpoints } from './resources.ts';
import { serverActionEndpoints } from './server-actions/index.ts';
import { serverCreateEndpoints } from './server-create.ts';
import { serverDiagnosticsEndpoints } from './server-diagnostics.ts';
import { serverGroupEndpoints } from './server-groups.ts';
import { serverInterfaceEndpoints } from './server-interfaces.ts';
import { serverIpEndpoints } from './server-ips.ts';
import { serverListEndpoints } from './server-list.ts';
import { serverMetadataEndpoints } from './server-metadata.ts';
import { serverPasswordEndpoints } from './server-password.ts';
import { serverTagEndpoints } from './server-tags.ts';
import { serverEndpoints } from './servers.ts';
import { volumeAttachmentEndpoints } from './volume-attachments.ts';
import { versionsDocumentEndpoints } from './versions.ts';

/** Every call of the Compute API. */
export const computeEndpoints = (deps: ComputeDeps): Endpoint[] => [
  ...versionsDocumentEndpoints(),
  ...resourceEndpoints(deps),
  ...serverCreateEndpoints(deps),
  ...serverListEndpoints(deps),
  ...serverEndpoints(deps),
  ...serverActionEndpoints(deps),
  ...serverMetadataEndpoints(deps),
  ...serverTagEndpoints(deps),
  ...serverPasswordEndpoints(deps),
  ...serverIpEndpoints(deps),
  ...serverInterfaceEndpoints(deps),
  ...volumeAttachmentEndpoints(deps),
  ...serverDiagnosticsEndpoints(deps),
  ...instanceActionEndpoints(deps),
  ...serverGroupEndpoints(deps),
];

import type { Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { metadefNamespaceEndpoints } from './namespaces.ts';
import { metadefObjectEndpoints } from './objects.ts';
import { metadefPropertyEndpoints } from './properties.ts';
import { metadefResourceTypeEndpoints } from './resource-types.ts';
import { metadefSchemaEndpoints } from './schemas.ts';
import { metadefTagEndpoints } from './tags.ts';

/** The catalogue of metadata definitions (glance `api/v2/metadef_*.py`). */
export const metadefEndpoints = (deps: ImageDeps): Endpoint[] => [
  ...metadefNamespaceEndpoints(deps), ...metadefObjectEndpoints(deps), ...metadefPropertyEndpoints(deps),
  ...metadefTagEndpoints(deps), ...metadefResourceTypeEndpoints(deps), ...metadefSchemaEndpoints(),
];

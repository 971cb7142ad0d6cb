/** What a client reads first: which versions there are, and up to which microversion (`nova/api/openstack/compute/versionsV21.py`). */
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { formatVersion } from '../../../kernel/api/microversion.ts';
import { computeVersions } from '../versions.ts';

const MEDIA_TYPES = [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }];

function v21(call: Pick<Call, 'base'>) {
  return {
    id: 'v2.1',
    status: 'CURRENT',
    version: formatVersion(computeVersions.max),
    min_version: formatVersion(computeVersions.min),
    updated: '2013-07-23T11:33:21Z',
    links: [{ rel: 'self', href: `${call.base}/v2.1/` }],
  };
}

/** Answers in any microversion, without a token. */
export const versionsDocumentEndpoints = (): Endpoint[] => [
  ...['', '/'].map((path) =>
    endpoint({ id: `versions:list${path}`, method: 'GET', path, summary: 'Versions', policy: 'public', status: 200, handler: (call) => ({ versions: [v21(call as Call)] }) }),
  ),
  ...['/v2.1', '/v2.1/'].map((path) =>
    endpoint({ id: `versions:show${path}`, method: 'GET', path, summary: 'Version 2.1', policy: 'public', status: 200, handler: (call) => reply({ version: { ...v21(call as Call), 'media-types': MEDIA_TYPES } }) }),
  ),
];

import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { formatVersion } from '../../../kernel/api/microversion.ts';
import { blockStorageVersions } from '../versions.ts';

const document = (call: Pick<Call, 'base'>) => ({
  versions: [{
    id: 'v3.0', status: 'CURRENT', version: formatVersion(blockStorageVersions.max), min_version: formatVersion(blockStorageVersions.min), updated: '2023-08-31T00:00:00Z',
    links: [{ rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' }, { rel: 'self', href: `${call.base}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  }],
});

/** `/` is a choice of one. */
export const versionsDocumentEndpoints = (): Endpoint[] => [
  ...['', '/'].map((path) =>
    endpoint({ id: `versions:list${path}`, method: 'GET', path, summary: 'List versions', policy: 'public', status: 300, handler: (call) => reply(document(call)) })),
  ...['/v3', '/v3/'].map((path) =>
    endpoint({ id: `versions:show:${path}`, method: 'GET', path, summary: 'Show version 3', policy: 'public', status: 200, handler: (call) => reply(document(call)) })),
];

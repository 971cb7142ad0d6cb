import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { imageVersions } from '../versions.ts';

const document = (call: Pick<Call, 'base'>) => ({
  versions: imageVersions.map((id, at) => ({ id, status: at === 0 ? 'CURRENT' : 'SUPPORTED', links: [{ rel: 'self', href: `${call.base}/v2/` }] })),
});

/** The unversioned root answers 300, `/versions` 200 with the same list. */
export const versionEndpoints = (): Endpoint[] => [
  ...['', '/', '/v2', '/v2/'].map((path) =>
    endpoint({ id: `versions:root${path}`, method: 'GET', path, summary: 'Versions', policy: 'public', status: 300, handler: (call) => reply(document(call as Call)) }),
  ),
  endpoint({ id: 'versions:list', method: 'GET', path: '/versions', summary: 'Versions', policy: 'public', status: 200, handler: (call) => document(call) }),
  endpoint({ id: 'healthcheck', method: 'GET', path: '/healthcheck', summary: 'Is the service there?', policy: 'public', status: 200, reply: 'text', handler: () => reply('OK') }),
];

/** What clients read first: which versions there are, and where. */
import { type Call, endpoint, type Endpoint, type Method, reply } from '../../../kernel/api/endpoint.ts';
import { formatVersion } from '../../../kernel/api/microversion.ts';
import { notFound, unauthorized } from '../../../kernel/fault.ts';
import { computeVersions } from '../versions.ts';

const mediaTypes = (version: string) => [{ base: 'application/json', type: `application/vnd.openstack.compute+json;version=${version}` }];

/** Nova lists v2.0 for clients that look for it; here it has a document only, and its calls are at v2.1. */
const OLD = { id: 'v2.0', status: 'DEPRECATED', version: '', min_version: '', updated: '2011-01-21T11:33:21Z' };
const CURRENT = {
  id: 'v2.1', status: 'CURRENT', version: formatVersion(computeVersions.max), min_version: formatVersion(computeVersions.min), updated: '2013-07-23T11:33:21Z',
};

const self = (href: string) => ({ rel: 'self', href });

const list = (call: Pick<Call, 'base'>) => ({
  versions: [
    { ...OLD, links: [self(`${call.base}/v2/`)] },
    { ...CURRENT, links: [self(`${call.base}/v2.1/`)] },
  ],
});

const describedby = { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' };

const current = (call: Pick<Call, 'base'>) => ({
  version: { ...CURRENT, links: [self(`${call.base}/v2.1/`), describedby], 'media-types': mediaTypes('2.1') },
});

const old = (call: Pick<Call, 'base'>) => ({
  version: { ...OLD, links: [self(`${call.base}/v2/`), describedby], 'media-types': mediaTypes('2') },
});

/** A path without a version: here are those that there are. */
function choices(call: Pick<Call, 'base' | 'url' | 'ctx'>) {
  const path = call.url.pathname.slice(new URL(call.base).pathname.length).replace(/^\/+/, '');
  if (/^v2(\.1)?(\/|$)/.test(path)) {
    if (call.ctx.auth === undefined) throw unauthorized('auth.required', 'The request you have made requires authentication.');
    throw notFound('api.not-found', 'The resource could not be found.');
  }
  const one = (id: string, prefix: string, version: string, status: string) => ({
    id, status, links: [self(`${call.base}/${prefix}/${path}`)], 'media-types': mediaTypes(version),
  });
  return reply({ choices: [one('v2.0', 'v2', '2', OLD.status), one('v2.1', 'v2.1', '2.1', CURRENT.status)] });
}

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Answers at any microversion, without a token. */
export const versionsDocumentEndpoints = (): Endpoint[] => [
  ...['', '/'].map((path) =>
    endpoint({ id: `versions:list${path}`, method: 'GET', path, summary: 'List versions', policy: 'public', status: 200, handler: list }),
  ),
  ...['/v2.1', '/v2.1/'].map((path) =>
    endpoint({ id: `versions:show:${path}`, method: 'GET', path, summary: 'Show version 2.1', policy: 'public', status: 200, handler: current }),
  ),
  ...['/v2', '/v2/'].map((path) =>
    endpoint({ id: `versions:show:${path}`, method: 'GET', path, summary: 'Show version 2.0', policy: 'public', status: 200, handler: old }),
  ),
  ...METHODS.map((method) =>
    endpoint({
      id: `versions:choices:${method.toLowerCase()}`, method, path: '/{path*}', summary: 'Name the versions for a path without one', policy: 'public', status: 300,
      handler: choices,
    }),
  ),
];

/** The OCI distribution API over the same images: docker, podman, skopeo and their kin. */
import type { Fault } from '../../kernel/fault.ts';
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';
import type { FaultRequest, Service, WireFault } from '../../kernel/service.ts';
import { blobEndpoints } from './api/registry/blobs.ts';
import { registryBaseEndpoints } from './api/registry/base.ts';
import { registryListEndpoints, searchEndpoints } from './api/registry/lists.ts';
import { manifestEndpoints } from './api/registry/manifests.ts';
import type { RegistryDeps } from './deps.ts';
import { authenticateCaller } from './model/registry/logins.ts';
import { rewritePath, scopeOf, scopeText } from './model/registry/names.ts';

const OWN = 'role:admin or (role:member and project_id:%(project_id)s)';

const rules: PolicyRule[] = [
  policyRule('registry_use', '', ['project', 'domain', 'system'], 'Log in to the registry, and pull what one may see: own, shared and public images.', 'GET /v2/', 'GET /v2/{name}/manifests/{reference}', 'GET /v2/{name}/blobs/{digest}', 'GET /v2/{name}/tags/list', 'GET /v2/{name}/referrers/{digest}', 'GET /v2/_catalog'),
  policyRule('registry_pull', 'role:admin or (role:reader and project_id:%(project_id)s)', ['project'], 'Pull all that is in the repositories of a project, whatever the visibility of the images.', 'GET /v2/{name}/manifests/{reference}'),
  policyRule('registry_push', OWN, ['project'], 'Push to the repositories of a project.', 'POST /v2/{name}/blobs/uploads/', 'PATCH /v2/{name}/blobs/uploads/{upload_id}', 'PUT /v2/{name}/blobs/uploads/{upload_id}', 'PUT /v2/{name}/manifests/{reference}'),
  policyRule('registry_delete', OWN, ['project'], 'Delete from the repositories of a project.', 'DELETE /v2/{name}/manifests/{reference}', 'DELETE /v2/{name}/blobs/{digest}'),
];

/** Two surfaces of one part: the protocol itself, and the search of its predecessor. */
export function registryServices(deps: RegistryDeps): Service[] {
  const common = {
    type: 'registry',
    formatFault,
    ownUnauthorized: true,
    headers: { 'docker-distribution-api-version': 'registry/2.0' },
    authenticate: authenticateCaller.bind(undefined, deps),
    tasks: [], jobs: [], migrations: [],
  };
  return [
    {
      ...common, name: 'registry', prefix: '/v2', rewrite: rewritePath,
      policies: rules.map((rule) => ({ ...rule, operations: rule.operations.map(({ method, path }) => ({ method, path: path.replace(/^\/v2/, '') })) })),
      endpoints: [...registryBaseEndpoints(deps), ...registryListEndpoints(deps), ...manifestEndpoints(deps), ...blobEndpoints(deps)],
    },
    {
      ...common, name: 'registry-search', prefix: '/v1', endpoints: searchEndpoints(deps),
      policies: [policyRule('registry_search', '', ['project', 'domain', 'system'], 'Search own and public images by name, as docker search does.', 'GET /search')],
    },
  ];
}

/** The specification's codes, where a fault names none. */
const CODES: Record<number, string> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 404: 'NAME_UNKNOWN', 405: 'UNSUPPORTED', 413: 'DENIED', 416: 'BLOB_UPLOAD_INVALID', 429: 'TOOMANYREQUESTS' };

function formatFault(fault: Fault, request: FaultRequest): WireFault {
  const code = fault.type ?? CODES[fault.status] ?? (fault.status < 500 ? 'UNSUPPORTED' : 'UNKNOWN');
  const body = { errors: [{ code: /^[A-Z_]+$/.test(code) ? code : CODES[fault.status] ?? 'UNKNOWN', message: fault.message, detail: fault.detail ?? null }] };
  return { contentType: 'application/json', body: JSON.stringify(body), headers: fault.status === 401 ? challenge(fault, request) : {} };
}

/** Where to get a token, and for what. */
function challenge(fault: Fault, { base, method, path }: FaultRequest): Record<string, string> {
  const origin = base.replace(/\/v[12]$/, '');
  if (path.startsWith('/v1/')) return { 'www-authenticate': 'Basic realm="Gantry"' };
  const scope = scopeOf(method, path);
  const parts = [`realm="${origin}/v2/token"`, `service="${new URL(origin).host}"`, ...(scope ? [`scope="${scopeText(scope)}"`] : []), ...(fault.code === 'registry.login' ? ['error="invalid_token"'] : [])];
  return { 'www-authenticate': `Bearer ${parts.join(',')}` };
}

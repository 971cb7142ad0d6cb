import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { checkFlavorWord } from '../model/flavor-words.ts';
import { extraSpecProblem } from '../model/extra-spec-rules.ts';
import { extraSpecNotFound, removeExtraSpec, setExtraSpecs } from '../model/flavor-extra-specs.ts';
import { extraSpecsOf, requireFlavor } from '../model/flavors.ts';
import { versions } from '../versions.ts';
import { ADMIN, READER, rule } from './rules.ts';
import { isAdmin } from './server-target.ts';

const KEY = Type.String({ pattern: '^[a-zA-Z0-9_:. -]{1,255}$' });
const specs = Type.Record(KEY, Type.Union([Type.String({ maxLength: 255 }), Type.Number()]), { additionalProperties: false });
const shown = Type.Record(Type.String(), Type.String());

const ALL = '/v2.1/flavors/{flavor_id}/os-extra_specs';
const ONE = '/v2.1/flavors/{flavor_id}/os-extra_specs/{key}';

/** As text, which is how they are kept. @throws Fault 400 */
function checked(call: Pick<Call, 'version'>, given: Record<string, string | number>): Record<string, string> {
  const out = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]));
  for (const [key, value] of Object.entries(out)) {
    const problem = call.version >= versions.EXTRA_SPECS_CHECKED ? extraSpecProblem(key, value) : undefined;
    if (problem !== undefined) throw problem;
    checkFlavorWord(key, value);
  }
  return out;
}

async function specsOf(deps: ComputeDeps, call: Pick<Call<{ flavor_id: string }>, 'params' | 'auth' | 'allows'>): Promise<Record<string, string>> {
  const viewer = { project_id: call.auth.project_id, is_admin: isAdmin(call) };
  return extraSpecsOf(await requireFlavor(deps, call.params.flavor_id, viewer));
}

export const flavorExtraSpecEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'flavor-extra-specs:list', method: 'GET', path: ALL, summary: 'List the extra specs of a flavor',
    policy: 'os_compute_api:os-flavor-extra-specs:index', status: 200, reply: Type.Object({ extra_specs: shown }),
    handler: async (call) => ({ extra_specs: await specsOf(deps, call) }),
  }),
  endpoint({
    id: 'flavor-extra-specs:create', method: 'POST', path: ALL, summary: 'Add extra specs to a flavor',
    policy: 'os_compute_api:os-flavor-extra-specs:create', status: 200,
    body: Type.Object({ extra_specs: specs }, { additionalProperties: false }),
    reply: Type.Object({ extra_specs: Type.Record(Type.String(), Type.Unknown()) }),
    async handler(call) {
      await setExtraSpecs(deps, call.params.flavor_id, checked(call, call.body.extra_specs));
      return call.body;
    },
  }),
  endpoint({
    id: 'flavor-extra-specs:show', method: 'GET', path: ONE, summary: 'Show an extra spec of a flavor',
    policy: 'os_compute_api:os-flavor-extra-specs:show', status: 200, reply: shown,
    async handler(call) {
      const { flavor_id, key } = call.params;
      const value = new Map(Object.entries(await specsOf(deps, call))).get(key);
      if (value === undefined) throw extraSpecNotFound(flavor_id, key);
      return { [key]: value };
    },
  }),
  endpoint({
    id: 'flavor-extra-specs:update', method: 'PUT', path: ONE, summary: 'Set an extra spec of a flavor',
    policy: 'os_compute_api:os-flavor-extra-specs:update', status: 200,
    body: Type.Record(KEY, Type.Union([Type.String({ maxLength: 255 }), Type.Number()]), { additionalProperties: false, minProperties: 1, maxProperties: 1 }),
    reply: Type.Record(Type.String(), Type.Unknown()),
    async handler(call) {
      const { flavor_id, key } = call.params;
      const added = checked(call, call.body);
      if (!Object.hasOwn(added, key)) throw badRequest('compute.extra-spec-mismatch', 'Request body and URI mismatch');
      await setExtraSpecs(deps, flavor_id, added);
      return call.body;
    },
  }),
  endpoint({
    id: 'flavor-extra-specs:delete', method: 'DELETE', path: ONE, summary: 'Remove an extra spec of a flavor',
    policy: 'os_compute_api:os-flavor-extra-specs:delete', status: 200,
    async handler(call) {
      await removeExtraSpec(deps, call.params.flavor_id, call.params.key);
      return reply();
    },
  }),
];

const SPECS = '/flavors/{flavor_id}/os-extra_specs';

export const flavorExtraSpecPolicies: PolicyRule[] = [
  rule('os-flavor-extra-specs:index', READER, 'List the extra specs of a flavor; from 2.61 on flavors show them too.',
    `GET ${SPECS}`, 'POST /flavors', 'GET /flavors/detail', 'GET /flavors/{flavor_id}', 'PUT /flavors/{flavor_id}'),
  rule('os-flavor-extra-specs:show', READER, 'Show an extra spec of a flavor.', `GET ${SPECS}/{key}`),
  rule('os-flavor-extra-specs:create', ADMIN, 'Add extra specs to a flavor.', `POST ${SPECS}`),
  rule('os-flavor-extra-specs:update', ADMIN, 'Set an extra spec of a flavor.', `PUT ${SPECS}/{key}`),
  rule('os-flavor-extra-specs:delete', ADMIN, 'Remove an extra spec of a flavor.', `DELETE ${SPECS}/{key}`),
];

import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { grantFlavor, requireProject, revokeFlavor } from '../model/flavor-access.ts';
import { requireFlavor } from '../model/flavors.ts';
import { accessOf } from '../store/flavors.ts';
import type { FlavorAccessRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { ADMIN, rule } from './rules.ts';
import { isAdmin, readerOf } from './server-target.ts';

const accessReply = Type.Object({ flavor_access: Type.Array(Type.Object({ flavor_id: Type.String(), tenant_id: Type.String() })) });
const tenant = Type.Object({ tenant: Type.String({ minLength: 1, maxLength: 255 }) }, { additionalProperties: false });

const view = (rows: readonly FlavorAccessRow[]) => ({
  flavor_access: rows.map(({ flavor_id, project_id }) => ({ flavor_id, tenant_id: project_id })),
});

const ACTION = '/v2.1/flavors/{flavor_id}/action';

export const flavorAccessEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'flavor-access:list', method: 'GET', path: '/v2.1/flavors/{flavor_id}/os-flavor-access', summary: 'List the projects that may use a private flavor',
    policy: 'os_compute_api:os-flavor-access', status: 200, reply: accessReply,
    async handler(call) {
      const flavor = await requireFlavor(deps, call.params.flavor_id, { project_id: call.auth.project_id, is_admin: isAdmin(call) });
      if (flavor.is_public === 1) throw notFound('compute.flavor-public', 'Access list not available for public flavors.');
      return view(await accessOf(readerOf(deps), flavor.id));
    },
  }),
  endpoint({
    id: 'flavor-access:add', method: 'POST', path: ACTION, action: 'addTenantAccess', summary: 'Let a project use a private flavor',
    policy: 'os_compute_api:os-flavor-access:add_tenant_access', status: 200,
    body: Type.Object({ addTenantAccess: tenant }, { additionalProperties: false }),
    reply: accessReply,
    async handler(call) {
      const project_id = call.body.addTenantAccess.tenant;
      await requireProject(deps, project_id);
      return view(await grantFlavor(deps, { flavor_id: call.params.flavor_id, project_id }, call.version < versions.FLAVOR_ACCESS_PRIVATE_ONLY));
    },
  }),
  endpoint({
    id: 'flavor-access:remove', method: 'POST', path: ACTION, action: 'removeTenantAccess', summary: 'No longer let a project use a private flavor',
    policy: 'os_compute_api:os-flavor-access:remove_tenant_access', status: 200,
    body: Type.Object({ removeTenantAccess: tenant }, { additionalProperties: false }),
    reply: accessReply,
    // A project that is gone can still be taken off.
    handler: async (call) => view(await revokeFlavor(deps, { flavor_id: call.params.flavor_id, project_id: call.body.removeTenantAccess.tenant })),
  }),
];

export const flavorAccessPolicies: PolicyRule[] = [
  rule('os-flavor-access', ADMIN, 'List the projects that may use a private flavor.', 'GET /flavors/{flavor_id}/os-flavor-access'),
  rule('os-flavor-access:add_tenant_access', ADMIN, 'Let a project use a private flavor.', 'POST /flavors/{flavor_id}/action (addTenantAccess)'),
  rule('os-flavor-access:remove_tenant_access', ADMIN, 'No longer let a project use a private flavor.', 'POST /flavors/{flavor_id}/action (removeTenantAccess)'),
];

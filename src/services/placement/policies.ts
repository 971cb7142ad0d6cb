/** Placement is for administrators and for the cloud's own services (`placement/policies`). */
import type { PolicyRule } from '../../kernel/policy/rule.ts';

const ADMIN = 'role:admin or role:service';

function rule(name: string, method: string, path: string, text = ADMIN): PolicyRule {
  return { name: `placement:${name}`, default: text, description: `${method} ${path}`, scope: ['project', 'system'], operations: [{ method, path }] };
}

const PROVIDER = '/resource_providers/{uuid}';

export const placementPolicies: PolicyRule[] = [
  rule('resource_providers:list', 'GET', '/resource_providers'),
  rule('resource_providers:create', 'POST', '/resource_providers'),
  rule('resource_providers:show', 'GET', PROVIDER),
  rule('resource_providers:update', 'PUT', PROVIDER),
  rule('resource_providers:delete', 'DELETE', PROVIDER),
  rule('resource_providers:inventories:list', 'GET', `${PROVIDER}/inventories`),
  rule('resource_providers:inventories:create', 'POST', `${PROVIDER}/inventories`),
  rule('resource_providers:inventories:show', 'GET', `${PROVIDER}/inventories/{resource_class}`),
  rule('resource_providers:inventories:update', 'PUT', `${PROVIDER}/inventories`),
  rule('resource_providers:inventories:delete', 'DELETE', `${PROVIDER}/inventories`),
  rule('resource_providers:usages', 'GET', `${PROVIDER}/usages`),
  rule('resource_providers:allocations:list', 'GET', `${PROVIDER}/allocations`),
  rule('resource_providers:traits:list', 'GET', `${PROVIDER}/traits`),
  rule('resource_providers:traits:update', 'PUT', `${PROVIDER}/traits`),
  rule('resource_providers:traits:delete', 'DELETE', `${PROVIDER}/traits`),
  rule('resource_providers:aggregates:list', 'GET', `${PROVIDER}/aggregates`),
  rule('resource_providers:aggregates:update', 'PUT', `${PROVIDER}/aggregates`),
  rule('resource_classes:list', 'GET', '/resource_classes'),
  rule('resource_classes:create', 'POST', '/resource_classes'),
  rule('resource_classes:show', 'GET', '/resource_classes/{name}'),
  rule('resource_classes:update', 'PUT', '/resource_classes/{name}'),
  rule('resource_classes:delete', 'DELETE', '/resource_classes/{name}'),
  rule('traits:list', 'GET', '/traits'),
  rule('traits:show', 'GET', '/traits/{name}'),
  rule('traits:update', 'PUT', '/traits/{name}'),
  rule('traits:delete', 'DELETE', '/traits/{name}'),
  rule('allocations:list', 'GET', '/allocations/{consumer_uuid}'),
  rule('allocations:update', 'PUT', '/allocations/{consumer_uuid}'),
  rule('allocations:manage', 'POST', '/allocations'),
  rule('allocations:delete', 'DELETE', '/allocations/{consumer_uuid}'),
  rule('allocation_candidates:list', 'GET', '/allocation_candidates'),
  rule('usages', 'GET', '/usages', `${ADMIN} or (role:reader and project_id:%(project_id)s)`),
];

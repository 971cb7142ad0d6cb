/** Placement is for administrators and for the cloud's own services (`placement/policies`). */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';

const ADMIN = 'role:admin or role:service';

const rule = (name: string, operation: string, description: string, text = ADMIN): PolicyRule => policyRule(`placement:${name}`, text, ['project', 'system'], description, operation);

const PROVIDER = '/resource_providers/{uuid}';

export const placementPolicies: PolicyRule[] = [
  rule('resource_providers:list', 'GET /resource_providers', 'List resource providers.'),
  rule('resource_providers:create', 'POST /resource_providers', 'Create a resource provider.'),
  rule('resource_providers:show', `GET ${PROVIDER}`, 'Show a resource provider.'),
  rule('resource_providers:update', `PUT ${PROVIDER}`, 'Rename a resource provider.'),
  rule('resource_providers:delete', `DELETE ${PROVIDER}`, 'Delete a resource provider.'),
  rule('resource_providers:inventories:list', `GET ${PROVIDER}/inventories`, 'List what a provider has.'),
  rule('resource_providers:inventories:create', `POST ${PROVIDER}/inventories`, 'Add an inventory to a provider.'),
  rule('resource_providers:inventories:show', `GET ${PROVIDER}/inventories/{resource_class}`, 'Show what a provider has of one class.'),
  rule('resource_providers:inventories:update', `PUT ${PROVIDER}/inventories`, 'Set what a provider has.'),
  rule('resource_providers:inventories:delete', `DELETE ${PROVIDER}/inventories`, 'Take inventories from a provider.'),
  rule('resource_providers:usages', `GET ${PROVIDER}/usages`, 'Show what is used of a provider.'),
  rule('resource_providers:allocations:list', `GET ${PROVIDER}/allocations`, 'List who holds what of a provider.'),
  rule('resource_providers:traits:list', `GET ${PROVIDER}/traits`, 'List the traits of a provider.'),
  rule('resource_providers:traits:update', `PUT ${PROVIDER}/traits`, 'Set the traits of a provider.'),
  rule('resource_providers:traits:delete', `DELETE ${PROVIDER}/traits`, 'Take all traits from a provider.'),
  rule('resource_providers:aggregates:list', `GET ${PROVIDER}/aggregates`, 'List the aggregates of a provider.'),
  rule('resource_providers:aggregates:update', `PUT ${PROVIDER}/aggregates`, 'Set the aggregates of a provider.'),
  rule('resource_classes:list', 'GET /resource_classes', 'List resource classes.'),
  rule('resource_classes:create', 'POST /resource_classes', 'Create a resource class.'),
  rule('resource_classes:show', 'GET /resource_classes/{name}', 'Show a resource class.'),
  rule('resource_classes:update', 'PUT /resource_classes/{name}', 'Make a resource class be there, or rename it.'),
  rule('resource_classes:delete', 'DELETE /resource_classes/{name}', 'Delete a resource class.'),
  rule('traits:list', 'GET /traits', 'List traits.'),
  rule('traits:show', 'GET /traits/{name}', 'Ask whether there is a trait.'),
  rule('traits:update', 'PUT /traits/{name}', 'Make a trait be there.'),
  rule('traits:delete', 'DELETE /traits/{name}', 'Delete a trait.'),
  rule('allocations:list', 'GET /allocations/{consumer_uuid}', 'Show what a consumer holds.'),
  rule('allocations:update', 'PUT /allocations/{consumer_uuid}', 'Set what a consumer holds.'),
  rule('allocations:manage', 'POST /allocations', 'Set what several consumers hold, at once.'),
  rule('allocations:delete', 'DELETE /allocations/{consumer_uuid}', 'Release all that a consumer holds.'),
  rule('allocation_candidates:list', 'GET /allocation_candidates', 'List the providers that can hold what is asked for.'),
  rule('usages', 'GET /usages', 'Show what a project uses.', `${ADMIN} or (role:reader and project_id:%(project_id)s)`),
];

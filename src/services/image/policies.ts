/** Glance's rules (`glance/policies/image.py`). */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';
import { metadefPolicies } from './metadef-policies.ts';

const READ = 'rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s or \'community\':%(visibility)s or \'public\':%(visibility)s or \'shared\':%(visibility)s))';
const WRITE = 'rule:context_is_admin or (role:member and project_id:%(project_id)s)';
const ADMIN = 'rule:context_is_admin';

const rule = (name: string, text: string, description: string, operation: string): PolicyRule => policyRule(name, text, ['project'], description, operation);

export const imagePolicies: PolicyRule[] = [
  policyRule('service_api', 'role:service or role:admin', [], 'A service of the cloud itself, or an administrator.'),
  rule('add_image', "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)", 'Create an image.', 'POST /v2/images'),
  rule('get_image', READ, 'Show an image.', 'GET /v2/images/{image_id}'),
  rule('get_images', 'rule:context_is_admin or (role:reader and project_id:%(project_id)s)', 'List images.', 'GET /v2/images'),
  rule('modify_image', WRITE, 'Update an image.', 'PATCH /v2/images/{image_id}'),
  rule('delete_image', WRITE, 'Delete an image.', 'DELETE /v2/images/{image_id}'),
  rule('publicize_image', ADMIN, 'Make an image public.', 'PATCH /v2/images/{image_id}'),
  rule('communitize_image', WRITE, 'Offer an image to the community.', 'PATCH /v2/images/{image_id}'),
  rule('download_image', 'rule:context_is_admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or \'community\':%(visibility)s or \'public\':%(visibility)s or \'shared\':%(visibility)s))', 'Download an image.', 'GET /v2/images/{image_id}/file'),
  rule('upload_image', WRITE, 'Upload the data of an image.', 'PUT /v2/images/{image_id}/file'),
  rule('deactivate', WRITE, 'Deactivate an image.', 'POST /v2/images/{image_id}/actions/deactivate'),
  rule('reactivate', WRITE, 'Reactivate an image.', 'POST /v2/images/{image_id}/actions/reactivate'),
  rule('add_member', WRITE, 'Share an image with a project.', 'POST /v2/images/{image_id}/members'),
  rule('delete_member', WRITE, 'Share an image no longer with a project.', 'DELETE /v2/images/{image_id}/members/{member_id}'),
  rule('get_member', 'rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)', 'Show with whom an image is shared.', 'GET /v2/images/{image_id}/members/{member_id}'),
  rule('get_members', 'rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)', 'List with whom an image is shared.', 'GET /v2/images/{image_id}/members'),
  rule('modify_member', 'rule:context_is_admin or (role:member and project_id:%(member_id)s)', 'Accept or reject a shared image.', 'PUT /v2/images/{image_id}/members/{member_id}'),
  rule('download_from_store', 'rule:context_is_admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or \'community\':%(visibility)s or \'public\':%(visibility)s or \'shared\':%(visibility)s))', 'Choose the store that an image is downloaded from.', 'GET /v2/images/{image_id}/file'),
  rule('copy_image', ADMIN, 'Copy an image to further stores.', 'POST /v2/images/{image_id}/import'),
  rule('get_image_location', 'rule:context_is_admin or (role:reader and project_id:%(project_id)s)', 'Know in which store an image is.', 'DELETE /v2/stores/{store_id}/{image_id}'),
  rule('set_image_location', WRITE, 'Give an image a location.', 'PATCH /v2/images/{image_id}'),
  rule('delete_image_location', ADMIN, "Delete an image's data from one store.", 'DELETE /v2/stores/{store_id}/{image_id}'),
  rule('add_image_location', 'rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)', 'Add a location to an image.', 'POST /v2/images/{image_id}/locations'),
  rule('fetch_image_location', 'rule:service_api', 'List where the data of an image are.', 'GET /v2/images/{image_id}/locations'),
  rule('stores_info_detail', 'rule:service_api', 'See how the stores work.', 'GET /v2/info/stores/detail'),
  policyRule('tasks_api_access', ADMIN, ['project'], 'Use the task API.', 'GET /v2/tasks', 'POST /v2/tasks', 'GET /v2/tasks/{task_id}', 'DELETE /v2/tasks/{task_id}'),
  policyRule('cache_list', ADMIN, ['project'], 'See what is cached.', 'GET /v2/cache'),
  policyRule('cache_image', ADMIN, ['project'], 'Put an image into the cache.', 'PUT /v2/cache/{image_id}'),
  policyRule('cache_delete', ADMIN, ['project'], 'Remove images from the cache.', 'DELETE /v2/cache', 'DELETE /v2/cache/{image_id}'),
  policyRule('cache_clean', ADMIN, ['project'], 'Clean the cache.', 'POST /v2/cache/clean'),
  policyRule('cache_prune', ADMIN, ['project'], 'Prune the cache.', 'POST /v2/cache/prune'),
  policyRule('list_cached_nodes', ADMIN, ['project'], 'See which hosts cache an image.', 'GET /v2/cache/nodes/{image_id}'),
  ...metadefPolicies,
];

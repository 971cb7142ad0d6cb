/** Glance's rules (`glance/policies/image.py`). */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';

const READ = 'role:admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s or \'community\':%(visibility)s or \'public\':%(visibility)s or \'shared\':%(visibility)s))';
const WRITE = 'role:admin or (role:member and project_id:%(project_id)s)';
const ADMIN = 'role:admin';

const rule = (name: string, text: string, description: string, operation: string): PolicyRule => policyRule(name, text, ['project'], description, operation);

export const imagePolicies: PolicyRule[] = [
  rule('add_image', "role:admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)", 'Create an image.', 'POST /v2/images'),
  rule('get_image', READ, 'Show an image.', 'GET /v2/images/{image_id}'),
  rule('get_images', 'role:admin or (role:reader and project_id:%(project_id)s)', 'List images.', 'GET /v2/images'),
  rule('modify_image', WRITE, 'Update an image.', 'PATCH /v2/images/{image_id}'),
  rule('delete_image', WRITE, 'Delete an image.', 'DELETE /v2/images/{image_id}'),
  rule('publicize_image', ADMIN, 'Make an image public.', 'PATCH /v2/images/{image_id}'),
  rule('communitize_image', WRITE, 'Offer an image to the community.', 'PATCH /v2/images/{image_id}'),
  rule('download_image', 'role:admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or \'community\':%(visibility)s or \'public\':%(visibility)s or \'shared\':%(visibility)s))', 'Download an image.', 'GET /v2/images/{image_id}/file'),
  rule('upload_image', WRITE, 'Upload the data of an image.', 'PUT /v2/images/{image_id}/file'),
  rule('deactivate', WRITE, 'Deactivate an image.', 'POST /v2/images/{image_id}/actions/deactivate'),
  rule('reactivate', WRITE, 'Reactivate an image.', 'POST /v2/images/{image_id}/actions/reactivate'),
  rule('add_member', WRITE, 'Share an image with a project.', 'POST /v2/images/{image_id}/members'),
  rule('delete_member', WRITE, 'Share an image no longer with a project.', 'DELETE /v2/images/{image_id}/members/{member_id}'),
  rule('get_member', 'role:admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)', 'Show with whom an image is shared.', 'GET /v2/images/{image_id}/members/{member_id}'),
  rule('get_members', 'role:admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)', 'List with whom an image is shared.', 'GET /v2/images/{image_id}/members'),
  rule('modify_member', 'role:admin or (role:member and project_id:%(member_id)s)', 'Accept or reject a shared image.', 'PUT /v2/images/{image_id}/members/{member_id}'),
];

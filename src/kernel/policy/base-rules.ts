import { policyRule, type PolicyRule } from './rule.ts';

const rule = (name: string, text: string, description: string): PolicyRule => policyRule(name, text, [], description);

/**
 * Rules that services refer to as `rule:<name>`: the personas of OpenStack's secure RBAC.
 * Every enforcer knows them; a service that declares a rule of the same name replaces it for itself.
 * `admin` is not bound to a project: an administrator of any project is one of the whole cloud, as in nova, neutron and glance.
 */
export const baseRules: readonly PolicyRule[] = [
  rule('context_is_admin', 'role:admin', 'Who counts as administrator (`is_admin:True`).'),
  rule('admin_required', 'rule:context_is_admin', 'Administrators only.'),
  rule('admin_api', 'rule:context_is_admin', 'Administrators only; nova writes it so.'),
  rule('admin_only', 'rule:context_is_admin', 'Administrators only; neutron writes it so.'),
  rule('default', 'rule:context_is_admin', 'For what no rule speaks of.'),
  rule('regular_user', '', 'Every valid token.'),

  rule('owner', 'user_id:%(user_id)s', 'The user to whom the resource belongs.'),
  rule('project_owner', 'project_id:%(project_id)s', 'Any role on the project of the resource.'),
  rule('admin_or_owner', 'rule:context_is_admin or rule:owner', 'The user to whom it belongs, or an administrator.'),
  rule('admin_or_project_owner', 'rule:context_is_admin or rule:project_owner', 'Any role on its project, or an administrator.'),

  rule('project_reader', 'role:reader and project_id:%(project_id)s', 'Reader on the project of the resource.'),
  rule('project_member', 'role:member and project_id:%(project_id)s', 'Member on the project of the resource.'),
  rule('project_manager', 'role:manager and project_id:%(project_id)s', 'Manager on the project of the resource.'),
  rule('project_admin', 'role:admin and project_id:%(project_id)s', 'Admin on the project of the resource.'),
  rule('project_reader_or_admin', 'rule:project_reader or rule:context_is_admin', 'Reader on its project, or an administrator.'),
  rule('project_member_or_admin', 'rule:project_member or rule:context_is_admin', 'Member on its project, or an administrator.'),
  rule('project_manager_or_admin', 'rule:project_manager or rule:context_is_admin', 'Manager on its project, or an administrator.'),

  rule('domain_reader', 'role:reader and domain_id:%(domain_id)s', 'Reader on the domain of the resource.'),
  rule('domain_member', 'role:member and domain_id:%(domain_id)s', 'Member on the domain of the resource.'),
  rule('domain_manager', 'role:manager and domain_id:%(domain_id)s', 'Manager on the domain of the resource.'),
  rule('domain_admin', 'role:admin and domain_id:%(domain_id)s', 'Admin on the domain of the resource.'),

  rule('system_reader', 'role:reader and system_scope:all', 'Reader on the system.'),
  rule('system_member', 'role:member and system_scope:all', 'Member on the system.'),
  rule('system_admin', 'role:admin and system_scope:all', 'Admin on the system.'),
  rule('system_reader_or_admin', 'rule:system_reader or rule:context_is_admin', 'Reader on the system, or an administrator.'),

  rule('service_role', 'role:service', 'A service of the cloud itself.'),
  rule('service_api', 'rule:service_role', 'A service of the cloud itself; nova and neutron write it so.'),
  rule('service_or_admin', 'rule:service_role or rule:context_is_admin', 'A service of the cloud itself, or an administrator.'),
];

import type { Auth } from '../../../src/kernel/context.ts';

/** A member of project `p1`, changed as a test needs it. */
export function auth(change: Partial<Auth> = {}): Auth {
  return {
    token: 't', user_id: 'u1', user_name: 'una', user_domain_id: 'default', user_domain_name: 'Default',
    project_id: 'p1', project_name: 'one', project_domain_id: 'default', domain_id: undefined, domain_name: undefined,
    system_scope: undefined, roles: ['member', 'reader'], role_ids: [], is_admin_project: false,
    expires_at: '2030-01-01T00:00:00.000000Z', application_credential_id: undefined, trust_id: undefined,
    ...change,
  };
}

export const admin = auth({ user_id: 'a1', project_id: 'p0', roles: ['admin', 'manager', 'member', 'reader'] });
export const systemReader = auth({ project_id: undefined, system_scope: 'all', roles: ['reader'] });
export const unscoped = auth({ project_id: undefined, roles: [] });

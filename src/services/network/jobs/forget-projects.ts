import type { NetworkEnvironment } from '../model/environment.ts';
import { deleteSecurityGroup } from '../model/security-groups.ts';
import { groupHasPorts, defaultGroupId } from '../store/security-groups.ts';
import { dropQuotas } from '../store/quotas.ts';

/** After a project is gone: its default security group, unless ports still use it, and its quotas. */
export async function forgetProject(env: NetworkEnvironment, project_id: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    await dropQuotas(tx, project_id);
    const group = await defaultGroupId(tx, project_id);
    if (group !== undefined && !(await groupHasPorts(tx, group))) await deleteSecurityGroup(env, tx, group, true);
  });
}

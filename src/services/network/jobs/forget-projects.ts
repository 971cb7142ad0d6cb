import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { IdentityClient } from '../../identity/client.ts';
import type { NetworkDeps } from '../deps.ts';
import { deleteSecurityGroup } from '../model/security-groups.ts';
import { dropQuotas } from '../store/quotas.ts';
import { defaultGroupId, groupHasPorts, projectsWithDefaultGroup } from '../store/security-groups.ts';

/** After a project is gone: its default security group, unless ports still use it, and its quotas. */
export async function forgetProject(env: NetworkDeps, project_id: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    await dropQuotas(tx, project_id);
    const group = await defaultGroupId(tx, project_id);
    if (group !== undefined && !(await groupHasPorts(tx, group))) await deleteSecurityGroup(env, tx, group, true);
  });
}

const AT_ONCE = 500;

/** Finds what a controller that stopped in the wrong moment has left of deleted projects. */
export function forgetProjects(env: NetworkDeps, identity: Pick<IdentityClient, 'findProject'>): Job {
  return defineJob({
    name: 'network.forget-projects',
    every_seconds: 3600,
    async run({ signal }) {
      let forgotten = 0;
      let page: string[] = [];
      do {
        page = await projectsWithDefaultGroup(env.db.read, page.at(-1) ?? '', AT_ONCE);
        for (const project_id of page) {
          signal.throwIfAborted();
          if ((await identity.findProject(project_id)) !== undefined) continue;
          await forgetProject(env, project_id);
          forgotten += 1;
        }
      } while (page.length === AT_ONCE);
      return { forgotten };
    },
  });
}

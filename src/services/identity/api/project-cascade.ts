import { Type } from 'typebox';
import { endpoint, reply, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { Identity } from '../model/identity.ts';
import { deleteSubtree, enableSubtree } from '../model/project-cascade.ts';
import { tagsOfProjects } from '../store/projects.ts';
import { entryReply } from './lists.ts';
import { projectTarget, showProject } from './projects.ts';
import { bodyOf, optionalFlag } from './schemas.ts';

const PATH = '/v3/projects/{project_id}/cascade';

/** A whole subtree of projects at once, with the rules of a single one. */
export function projectCascadeEndpoints(identity: Identity): Endpoint[] {
  const target = (call: { params: { project_id: string } }) => projectTarget(identity, call.params.project_id);
  return [
    endpoint({
      id: 'identity:update_project_cascade', method: 'PATCH', path: PATH, summary: 'Enable or disable a project and all below it', policy: 'identity:update_project', target,
      body: bodyOf('project', Type.Object({ enabled: optionalFlag }, { additionalProperties: false })), reply: entryReply('project'), status: 200,
      async handler(call) {
        const row = await enableSubtree(identity, call.params.project_id, call.body.project?.enabled);
        return { project: showProject(identity, call, row, await tagsOfProjects(identity.db.read, [row.id])) };
      },
    }),
    endpoint({
      id: 'identity:delete_project_cascade', method: 'DELETE', path: PATH, summary: 'Delete a project and all below it', policy: 'identity:delete_project', target, status: 204,
      async handler(call) {
        await deleteSubtree(identity, call.params.project_id);
        return reply();
      },
    }),
  ];
}

import { Type } from 'typebox';
import { endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { addProjectTag, projectTags, removeProjectTag, setProjectTags } from '../model/project-tags.ts';
import { noSuch } from '../faults.ts';
import { linkTo } from './lists.ts';
import { PROJECT_MANAGER, PROJECT_READER, projectTarget } from './projects.ts';
import { ANY_SCOPE, rule } from './rules.ts';
import { tagList } from './schemas.ts';

const LIST = '/v3/projects/{project_id}/tags';
const ONE = '/v3/projects/{project_id}/tags/{value}';

export const projectTagRules: PolicyRule[] = [
  rule('list_project_tags', PROJECT_READER, ANY_SCOPE, `GET ${LIST}`, 'List the tags of a project.'),
  rule('get_project_tag', PROJECT_READER, ANY_SCOPE, `GET ${ONE}`, 'Ask whether a project has a tag.'),
  rule('update_project_tags', PROJECT_MANAGER, ANY_SCOPE, `PUT ${LIST}`, 'Replace the tags of a project.'),
  rule('create_project_tag', PROJECT_MANAGER, ANY_SCOPE, `PUT ${ONE}`, 'Give a project a tag.'),
  rule('delete_project_tags', PROJECT_MANAGER, ANY_SCOPE, `DELETE ${LIST}`, 'Take all tags off a project.'),
  rule('delete_project_tag', PROJECT_MANAGER, ANY_SCOPE, `DELETE ${ONE}`, 'Take a tag off a project.'),
];

const tagsReply = Type.Object({ tags: Type.Array(Type.String()) });

export function projectTagEndpoints(identity: Identity): Endpoint[] {
  const target = (call: { params: { project_id: string } }) => projectTarget(identity, call.params.project_id);
  const shown = (call: PathCall, project_id: string, tags: string[]) => ({ tags, ...linkTo(identity, call, 'projects', project_id, 'tags') });
  return [
    endpoint({
      id: 'identity:list_project_tags', method: 'GET', path: LIST, summary: 'List tags', policy: 'identity:list_project_tags', target, reply: tagsReply, status: 200,
      handler: async (call) => shown(call, call.params.project_id, await projectTags(identity, call.params.project_id)),
    }),
    endpoint({
      id: 'identity:update_project_tags', method: 'PUT', path: LIST, summary: 'Replace the tags', policy: 'identity:update_project_tags', target,
      body: Type.Object({ tags: tagList }), reply: tagsReply, status: 200,
      async handler(call) {
        await setProjectTags(identity, call.params.project_id, call.body.tags);
        return shown(call, call.params.project_id, await projectTags(identity, call.params.project_id));
      },
    }),
    endpoint({
      id: 'identity:delete_project_tags', method: 'DELETE', path: LIST, summary: 'Take all tags off', policy: 'identity:delete_project_tags', target, status: 204,
      async handler(call) {
        await setProjectTags(identity, call.params.project_id, []);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:get_project_tag', method: 'GET', path: ONE, summary: 'Ask for a tag', policy: 'identity:get_project_tag', target, status: 204,
      async handler(call) {
        const tags = await projectTags(identity, call.params.project_id);
        if (!tags.includes(call.params.value)) throw noSuch('project tag', call.params.value);
        return reply();
      },
    }),
    endpoint({
      id: 'identity:create_project_tag', method: 'PUT', path: ONE, summary: 'Add a tag', policy: 'identity:create_project_tag', target, status: 201,
      async handler(call) {
        await addProjectTag(identity, call.params.project_id, call.params.value);
        return reply(undefined, { headers: { location: linkTo(identity, call, 'projects', call.params.project_id, 'tags', call.params.value).links.self } });
      },
    }),
    endpoint({
      id: 'identity:delete_project_tag', method: 'DELETE', path: ONE, summary: 'Take a tag off', policy: 'identity:delete_project_tag', target, status: 204,
      async handler(call) {
        await removeProjectTag(identity, call.params.project_id, call.params.value);
        return reply();
      },
    }),
  ];
}

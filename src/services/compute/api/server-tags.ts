import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { changeTags } from '../model/server-metadata.ts';
import { tagsOf } from '../model/server-row.ts';
import { checkAction } from '../model/server-state.ts';
import { versions } from '../versions.ts';
import { MAX_TAGS, tagText } from './parameters.ts';
import { serverOf, serverTarget } from './server-target.ts';

const path = '/v2.1/servers/{server_id}/tags';
const policy = (name: string): string => `os_compute_api:os-server-tags:${name}`;
const since = versions.SERVER_TAGS;
const tagsReply = Type.Object({ tags: Type.Array(Type.String()) });
const tagsBody = Type.Object({ tags: Type.Array(tagText, { maxItems: MAX_TAGS }) }, { additionalProperties: false });

const noTag = (id: string, tag: string): Error => notFound('compute.tag-not-found', `Server ${id} has no tag '${tag}'`);

function checkTag(tag: string): void {
  if (tag.length >= 1 && tag.length <= 60 && !/[,/]/.test(tag)) return;
  const why = tag.length > 60 ? `'${tag.slice(0, 80)}' is too long` : `'${tag}' does not match '^[^,/]*$'`;
  throw badRequest('compute.tag-invalid', `Tag '${tag.slice(0, 80)}' is invalid. It must be a non empty string without characters '/' and ','. Validation error message: ${why}`);
}

const changeable = (call: Pick<Call, 'ctx'>, action: 'update tag' | 'delete tag') => {
  const row = serverOf(call);
  checkAction(action, row, false);
  return row;
};

export const serverTagEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-tags:list', method: 'GET', path, summary: 'List tags of a server', policy: policy('index'), target: serverTarget(deps), since,
    reply: tagsReply, status: 200,
    handler: (call) => ({ tags: tagsOf(serverOf(call)) }),
  }),
  endpoint({
    id: 'server-tags:replace', method: 'PUT', path, summary: 'Replace all tags of a server', policy: policy('update_all'), target: serverTarget(deps), since,
    body: tagsBody, reply: tagsReply, status: 200,
    handler: async (call) => ({ tags: await changeTags(deps, changeable(call, 'update tag'), () => call.body.tags) }),
  }),
  endpoint({
    id: 'server-tags:delete-all', method: 'DELETE', path, summary: 'Delete all tags of a server', policy: policy('delete_all'), target: serverTarget(deps), since,
    status: 204,
    handler: async (call) => {
      await changeTags(deps, changeable(call, 'delete tag'), () => []);
      return undefined;
    },
  }),
  endpoint({
    id: 'server-tags:check', method: 'GET', path: `${path}/{tag}`, summary: 'Check for a tag', policy: policy('show'), target: serverTarget(deps), since,
    status: 204,
    handler: (call) => {
      const { server_id, tag } = call.params;
      if (!tagsOf(serverOf(call)).includes(tag)) throw noTag(server_id, tag);
      return undefined;
    },
  }),
  endpoint({
    id: 'server-tags:add', method: 'PUT', path: `${path}/{tag}`, summary: 'Add a tag to a server', policy: policy('update'), target: serverTarget(deps), since,
    status: 204,
    handler: async (call) => {
      const { server_id, tag } = call.params;
      const row = changeable(call, 'update tag');
      checkTag(tag);
      let added = false;
      await changeTags(deps, row, (old) => {
        if (old.length >= MAX_TAGS) throw badRequest('compute.tag-limit', `The number of tags exceeded the per-server limit ${MAX_TAGS}`);
        added = !old.includes(tag);
        return [...old, tag];
      });
      if (!added) return undefined;
      return reply(undefined, { status: 201, headers: { location: `${call.base}/v2.1/servers/${server_id}/tags/${encodeURIComponent(tag)}` } });
    },
  }),
  endpoint({
    id: 'server-tags:delete', method: 'DELETE', path: `${path}/{tag}`, summary: 'Delete a tag of a server', policy: policy('delete'), target: serverTarget(deps), since,
    status: 204,
    handler: async (call) => {
      const { server_id, tag } = call.params;
      await changeTags(deps, changeable(call, 'delete tag'), (old) => {
        if (!old.includes(tag)) throw noTag(server_id, tag);
        return old.filter((other) => other !== tag);
      });
      return undefined;
    },
  }),
];

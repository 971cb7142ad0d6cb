import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, type Target } from '../../../kernel/api/endpoint.ts';
import { oneOf } from '../../../kernel/api/schema.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { addMember, getMember, membersSeenBy, memberView, removeMember, updateMember } from '../model/image-members.ts';
import { getImage } from '../model/images.ts';
import { eyesOf, imageTarget, targetOf } from './eyes.ts';

const member = Type.Object({ image_id: Type.String(), member_id: Type.String(), status: Type.String(), created_at: Type.String(), updated_at: Type.String(), schema: Type.String() });
const status = oneOf('pending', 'accepted', 'rejected');

/** A member is known to the image's owner and to itself. */
async function memberTarget(deps: ImageDeps, call: Call<{ image_id: string; member_id: string }, any, any>): Promise<Target> {
  const image = await getImage(deps, eyesOf(call), call.params.image_id);
  if (!call.allows('get_image', targetOf(image, call.auth.project_id))) throw imageNotFound(image.id);
  const { member_id } = call.params;
  if (!eyesOf(call).is_admin && image.owner !== call.auth.project_id && member_id !== call.auth.project_id) {
    throw notFound('image.member-not-found', `${member_id} not found in the member list of the image.`);
  }
  return { project_id: image.owner, member_id };
}

export const imageMemberEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'image-members:list', method: 'GET', path: '/v2/images/{image_id}/members', summary: 'List the members of an image', policy: 'get_members', status: 200,
    target: (call) => imageTarget(deps, call), reply: Type.Object({ members: Type.Array(member), schema: Type.String() }),
    async handler(call) {
      const eyes = eyesOf(call);
      const rows = await membersSeenBy(deps, await getImage(deps, eyes, call.params.image_id), eyes);
      return { members: rows.map(memberView), schema: '/v2/schemas/members' };
    },
  }),
  endpoint({
    id: 'image-members:create', method: 'POST', path: '/v2/images/{image_id}/members', summary: 'Share an image with a project', policy: 'add_member', status: 200,
    target: (call) => imageTarget(deps, call), body: Type.Object({ member: Type.String({ minLength: 1, maxLength: 255 }) }), reply: member,
    handler: async (call) => memberView(await addMember(deps, await getImage(deps, eyesOf(call), call.params.image_id), call.body.member)),
  }),
  endpoint({
    id: 'image-members:show', method: 'GET', path: '/v2/images/{image_id}/members/{member_id}', summary: 'Show a member of an image', policy: 'get_member', status: 200,
    target: (call) => memberTarget(deps, call), reply: member,
    handler: async (call) => memberView(await getMember(deps, await getImage(deps, eyesOf(call), call.params.image_id), call.params.member_id)),
  }),
  endpoint({
    id: 'image-members:update', method: 'PUT', path: '/v2/images/{image_id}/members/{member_id}', summary: 'Accept or reject an image', policy: 'modify_member', status: 200,
    target: (call) => memberTarget(deps, call), body: Type.Object({ status }), reply: member,
    handler: async (call) => memberView(await updateMember(deps, await getImage(deps, eyesOf(call), call.params.image_id), call.params.member_id, call.body.status)),
  }),
  endpoint({
    id: 'image-members:delete', method: 'DELETE', path: '/v2/images/{image_id}/members/{member_id}', summary: 'Share an image no longer', policy: 'delete_member', status: 204,
    target: (call) => memberTarget(deps, call),
    async handler(call) {
      await removeMember(deps, await getImage(deps, eyesOf(call), call.params.image_id), call.params.member_id);
      return undefined;
    },
  }),
];

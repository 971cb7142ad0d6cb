import type { Call, Target } from '../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import type { Asker } from '../model/image-tasks.ts';
import { type Eyes, getImage } from '../model/images.ts';
import type { ImageRow } from '../store/tables.ts';

export function eyesOf(call: Pick<Call<any, any, any>, 'auth' | 'allows'>): Eyes {
  return { project_id: call.auth.project_id, is_admin: call.allows('context_is_admin') };
}

/**
 * What glance's rules are checked against. Whom the rule of the call refuses learns of the image only if it may be seen.
 * Faults: 404 for an image the caller may not know of.
 */
export async function imageTarget(deps: ImageDeps, call: Call<any, any, any>): Promise<Target> {
  const row = await getImage(deps, eyesOf(call), (call.params as { image_id: string }).image_id);
  const target = targetOf(row, call.auth.project_id);
  if (!call.allows(call.policy, target) && !call.allows('get_image', target)) throw imageNotFound(row.id);
  return target;
}

export function targetOf(row: ImageRow, project_id: string | undefined): Target {
  // one who sees a shared image is a member of it
  const member_id = row.visibility === 'shared' && row.owner !== project_id ? project_id : undefined;
  return { project_id: row.owner, owner: row.owner, visibility: row.visibility === 'shared' ? undefined : row.visibility, member_id, image_id: row.id };
}

export function askerOf(call: Pick<Call<any, any, any>, 'auth' | 'ctx'>): Asker {
  return { project_id: call.auth.project_id ?? '', user_id: call.auth.user_id, request_id: call.ctx.request_id };
}

import type { Call, Target } from '../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../deps.ts';
import type { Asker } from '../model/image-tasks.ts';
import { type Eyes, getImage } from '../model/images.ts';
import type { ImageRow } from '../store/tables.ts';

export function eyesOf(call: Pick<Call<any, any, any>, 'auth' | 'allows'>): Eyes {
  return { project_id: call.auth.project_id, is_admin: call.allows('context_is_admin') };
}

/** What glance's rules are checked against. Faults: 404 for an image the caller may not know of. */
export async function imageTarget(deps: ImageDeps, call: Call<any, any, any>): Promise<Target> {
  const row = await getImage(deps, eyesOf(call), (call.params as { image_id: string }).image_id);
  return targetOf(row, call.auth.project_id);
}

export function targetOf(row: ImageRow, project_id: string | undefined): Target {
  // one who sees a shared image is a member of it
  const member_id = row.visibility === 'shared' && row.owner !== project_id ? project_id : undefined;
  return { project_id: row.owner, owner: row.owner, visibility: row.visibility === 'shared' ? undefined : row.visibility, member_id, image_id: row.id };
}

export function askerOf(call: Pick<Call<any, any, any>, 'auth' | 'ctx'>): Asker {
  return { project_id: call.auth.project_id ?? '', user_id: call.auth.user_id, request_id: call.ctx.request_id };
}

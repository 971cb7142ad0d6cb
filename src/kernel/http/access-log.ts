import type { Context } from '../context.ts';

export interface Access {
  method: string;
  path: string;
  status: number;
  started: number;
}

/** One line a request; query strings stay out, since they may carry signatures. */
export function logAccess(ctx: Context, access: Access): void {
  const fields = {
    method: access.method,
    path: access.path,
    status: access.status,
    ms: Math.round((performance.now() - access.started) * 10) / 10,
    user_id: ctx.auth?.user_id,
    project_id: ctx.auth?.project_id,
  };
  if (access.status >= 500) ctx.log.error(fields, 'request');
  else ctx.log.info(fields, 'request');
}

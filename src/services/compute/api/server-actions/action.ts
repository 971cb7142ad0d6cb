/** `POST /servers/{id}/action`: one endpoint per action; what is not here is "no such action". */
import { type TObject, Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../../kernel/api/microversion.ts';
import type { ComputeDeps } from '../../deps.ts';
import type { Actor } from '../../model/server-tasks.ts';
import type { ServerRow } from '../../store/tables.ts';
import { isAdmin, serverOf, serverTarget } from '../server-target.ts';

export const closed = { additionalProperties: false } as const;

export interface Action {
  /** The one field of the body. */
  name: string;
  summary: string;
  policy: string;
  body: TObject;
  /** 202 unless told. */
  status?: number;
  reply?: TObject;
  since?: Microversion;
  until?: Microversion;
  act(row: ServerRow, actor: Actor, call: AnyCall): Promise<object | undefined | void>;
}

/** The body of an action that takes nothing: nova accepts whatever stands there. */
export const anything = (name: string): TObject => Type.Object({ [name]: Type.Unknown() }, closed);

export function actionEndpoint(deps: ComputeDeps, action: Action): Endpoint {
  return endpoint({
    id: `servers:action:${action.name}`,
    method: 'POST',
    path: '/v2.1/servers/{server_id}/action',
    action: action.name,
    summary: action.summary,
    policy: action.policy,
    target: serverTarget(deps),
    body: action.body,
    ...(action.reply === undefined ? {} : { reply: action.reply }),
    ...(action.since === undefined ? {} : { since: action.since }),
    ...(action.until === undefined ? {} : { until: action.until }),
    status: action.status ?? 202,
    handler: async (call) => {
      const out = await action.act(serverOf(call), { ctx: call.ctx, is_admin: isAdmin(call) }, call);
      return (out ?? undefined) as never;
    },
  });
}

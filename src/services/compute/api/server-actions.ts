/** `POST /servers/{id}/action`: one endpoint per action; what is not here is "no such action". */
import { type TObject, Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since, until } from '../../../kernel/api/microversion.ts';
import { conflict, isFault, notFound } from '../../../kernel/fault.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import type { ComputeDeps, PowerTask } from '../deps.ts';
import { tailLog } from '../model/console-log.ts';
import { checkAction } from '../model/server-state.ts';
import { deleteServer, lockedByCaller, lockServer, powerServer, resetState, unlockServer, type Actor } from '../model/servers.ts';
import type { ServerRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { isAdmin, serverOf, serverTarget } from './server-target.ts';

const path = '/v2.1/servers/{server_id}/action';
const closed = { additionalProperties: false } as const;

type AnyCall = Pick<Call, 'ctx' | 'allows' | 'version' | 'body' | 'auth' | 'enforce'>;
type Act = (row: ServerRow, actor: Actor, call: AnyCall) => Promise<object | undefined | void>;

interface Action {
  name: string;
  summary: string;
  policy: string;
  body: TObject;
  status?: number;
  reply?: TObject;
  act: Act;
}

const anything = (name: string): TObject => Type.Object({ [name]: Type.Unknown() }, closed);

function actionEndpoint(deps: ComputeDeps, action: Action): Endpoint {
  return endpoint({
    id: `servers:action:${action.name}`,
    method: 'POST',
    path,
    action: action.name,
    summary: action.summary,
    policy: action.policy,
    target: serverTarget(deps),
    body: action.body,
    ...(action.reply === undefined ? {} : { reply: action.reply }),
    status: action.status ?? 202,
    handler: async (call) => {
      const out = await action.act(serverOf(call), { ctx: call.ctx, is_admin: isAdmin(call) }, call as unknown as AnyCall);
      return (out ?? undefined) as never;
    },
  });
}

export const serverActionEndpoints = (deps: ComputeDeps): Endpoint[] =>
  [...powerActions(deps), ...lockActions(deps), ...adminActions(deps), ...groupActions(deps), consoleOutput(deps)].map((action) => actionEndpoint(deps, action));

function powerActions(deps: ComputeDeps): Action[] {
  const simple = (name: string, what: PowerTask, policy: string, summary: string): Action => ({
    name,
    summary,
    policy: `os_compute_api:${policy}`,
    body: anything(name),
    act: (row, actor) => powerServer(deps, actor, row, what),
  });
  const types = ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'].map((type) => Type.Literal(type));
  return [
    simple('os-start', 'start', 'servers:start', 'Start a server'),
    simple('os-stop', 'stop', 'servers:stop', 'Stop a server'),
    simple('pause', 'pause', 'os-pause-server:pause', 'Pause a server'),
    simple('unpause', 'unpause', 'os-pause-server:unpause', 'Unpause a server'),
    {
      name: 'reboot',
      summary: 'Reboot a server',
      policy: 'os_compute_api:servers:reboot',
      body: Type.Object({ reboot: Type.Object({ type: Type.Union(types) }, closed) }, closed),
      act: (row, actor, call) => {
        const { reboot } = call.body as { reboot: { type: string } };
        return powerServer(deps, actor, row, reboot.type.toUpperCase() === 'HARD' ? 'reboot-hard' : 'reboot');
      },
    },
  ];
}

function lockActions(deps: ComputeDeps): Action[] {
  const reason = Type.Object({ locked_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, closed);
  const body = Type.Union([until(versions.LOCK_REASON - 1, Type.Unknown()), since(versions.LOCK_REASON, nullable(reason))]);
  return [
    {
      name: 'lock',
      summary: 'Lock a server',
      policy: 'os_compute_api:os-lock-server:lock',
      body: Type.Object({ lock: body }, closed),
      act: (row, actor, call) => {
        const { lock } = call.body as { lock: { locked_reason?: string } | null };
        return lockServer(deps, actor, row, call.version >= versions.LOCK_REASON ? (lock?.locked_reason ?? null) : null);
      },
    },
    {
      name: 'unlock',
      summary: 'Unlock a server',
      policy: 'os_compute_api:os-lock-server:unlock',
      body: anything('unlock'),
      act: (row, actor, call) => {
        if (!lockedByCaller(row, call.auth.project_id)) {
          call.enforce('os_compute_api:os-lock-server:unlock:unlock_override', { project_id: row.project_id });
        }
        return unlockServer(deps, actor, row);
      },
    },
  ];
}

function adminActions(deps: ComputeDeps): Action[] {
  const state = Type.Union([Type.Literal('active'), Type.Literal('error')]);
  return [
    {
      name: 'os-resetState',
      summary: 'Set the state of a server by hand',
      policy: 'os_compute_api:os-admin-actions:reset_state',
      body: Type.Object({ 'os-resetState': Type.Object({ state }, closed) }, closed),
      act: async (row, actor, call) => {
        await resetState(deps, actor, row, (call.body as { 'os-resetState': { state: 'active' | 'error' } })['os-resetState'].state);
      },
    },
    {
      name: 'forceDelete',
      summary: 'Delete a server at once',
      policy: 'os_compute_api:os-deferred-delete:force',
      body: anything('forceDelete'),
      act: (row, actor) => deleteServer(deps, actor, row),
    },
    {
      name: 'restore',
      summary: 'Bring back a soft-deleted server; deletion is never soft here, so that no server has the state for it',
      policy: 'os_compute_api:os-deferred-delete:restore',
      body: anything('restore'),
      act: async (row, actor) => checkAction('restore', row, actor.is_admin),
    },
    {
      name: 'changePassword',
      summary: 'Change the password of a server: refused, containers have none',
      policy: 'os_compute_api:os-admin-password',
      body: Type.Object({ changePassword: Type.Object({ adminPass: Type.String() }, closed) }, closed),
      act: async (row, actor) => {
        checkAction('changePassword', row, actor.is_admin);
        throw conflict('compute.password-not-supported', 'Set admin password is not supported');
      },
    },
  ];
}

function groupActions(deps: ComputeDeps): Action[] {
  const change = (name: string, what: 'add' | 'remove', summary: string): Action => ({
    name,
    summary,
    policy: `os_compute_api:os-security-groups:${what}`,
    body: Type.Object({ [name]: Type.Object({ name: Type.String({ minLength: 1 }) }, closed) }, { additionalProperties: true }),
    act: async (row, _actor, call) => {
      const group = (call.body as Record<string, { name: string }>)[name]!.name;
      if (group.trim() === '') throw notFound('compute.group-not-found', 'Security group name cannot be empty');
      await deps.network.changeServerGroup(row.id, what, group);
    },
  });
  return [
    change('addSecurityGroup', 'add', 'Add a security group to all ports of a server'),
    change('removeSecurityGroup', 'remove', 'Remove a security group from all ports of a server'),
  ];
}

function consoleOutput(deps: ComputeDeps): Action {
  const length = Type.Union([Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null()]);
  return {
    name: 'os-getConsoleOutput',
    summary: 'Read the console log of a server',
    policy: 'os_compute_api:os-console-output',
    body: Type.Object({ 'os-getConsoleOutput': Type.Object({ length: Type.Optional(length) }, closed) }, closed),
    status: 200,
    reply: Type.Object({ output: Type.String() }),
    act: async (row, _actor, call) => {
      if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
      const asked = (call.body as { 'os-getConsoleOutput': { length?: number | string | null } })['os-getConsoleOutput'].length;
      const lines = asked === undefined || asked === null || Number(asked) < 0 ? undefined : Number(asked);
      try {
        const output = await deps.nodes.call<string>(row.node_id, computeMethods.console, { server_id: row.id, ...(lines === undefined ? {} : { lines }) }, { timeout_ms: 30_000 });
        return { output: tailLog(output, lines) };
      } catch (error) {
        // Between its placement and its start a server has no container yet.
        if (isFault(error) && error.code === 'compute.server-unknown') throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
        throw error;
      }
    },
  };
}

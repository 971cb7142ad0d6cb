import { Type } from 'typebox';
import { since, until } from '../../../../kernel/api/microversion.ts';
import { nullable } from '../../../../kernel/api/schema.ts';
import type { ComputeDeps } from '../../deps.ts';
import { lockedByCaller, lockServer, unlockServer } from '../../model/servers.ts';
import { versions } from '../../versions.ts';
import { type Action, anything, closed } from './action.ts';

export function lockActions(deps: ComputeDeps): Action[] {
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

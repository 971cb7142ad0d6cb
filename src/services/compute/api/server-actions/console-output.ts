import { Type } from 'typebox';
import { computeMethods } from '../../../../agents/compute/protocol.ts';
import { conflict, isFault } from '../../../../kernel/fault.ts';
import type { ComputeDeps } from '../../deps.ts';
import { tailLog } from '../../model/console-log.ts';
import { type Action, closed } from './action.ts';

export function consoleOutputActions(deps: ComputeDeps): Action[] {
  const length = Type.Union([Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null()]);
  return [{
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
  }];
}

/** What a guest's report says about the server. Pure. */
import type { GuestReport, PowerState } from '../../../agents/compute/protocol.ts';
import type { ServerFault } from './server-row.ts';
import { powerStates } from './server-state.ts';

export function powerStateNumber(state: PowerState): number {
  return powerStates[state];
}

const KILLED = 137;
const TERMINATED = 143;

/** Whether the process ended in a way that a user has to know of: not by itself with 0, and not because someone stopped it. */
export function endedBadly(report: GuestReport): boolean {
  if (report.power_state !== 'shutdown' && report.power_state !== 'crashed') return false;
  if (report.oom_killed) return true;
  return report.exit_code !== null && ![0, KILLED, TERMINATED].includes(report.exit_code);
}

/** One line for people: exit code, lack of memory, the last thing it said. */
export function exitMessage(report: GuestReport): string {
  const code = report.exit_code === null ? '' : ` with code ${report.exit_code}`;
  const why = report.oom_killed ? `Container ran out of memory and was killed${code === '' ? '' : ` (exit${code})`}` : `Container exited${code}`;
  const often = report.restarts === undefined ? '' : ` after ${report.restarts.count} ${report.restarts.count === 1 ? 'restart' : 'restarts'}`;
  const last = report.last_output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? `${why}${often}` : `${why}${often}: ${last.slice(0, 200)}`;
}

export function exitFault(report: GuestReport, created: string): ServerFault {
  return { code: 500, message: exitMessage(report), created, details: report.last_output === '' ? null : report.last_output };
}

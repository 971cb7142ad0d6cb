/** When a guest that has ended runs again. Pure. */
import type { RestartRule } from '../../protocol.ts';
import type { ContainerInspect, ContainerState } from './engine-types.ts';
import type { GuestNote } from './guest-notes.ts';
import { restartRuleOf } from './guest-options.ts';

/** One that ran so long did not fail at its start: what was before does not count. */
const STEADY_MS = 10_000;
/** In a row, whatever the rule: a guest that fails at every start ends as what it is. */
const MOST_IN_A_ROW = 10;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 60_000;

export interface RestartPlan {
  /** How often in a row, this one included. */
  in_a_row: number;
  pause_ms: number;
}

/** What becomes of a guest that has ended; undefined: it stays so. Pure. */
export function planRestart(rule: RestartRule, state: ContainerState, note: GuestNote): RestartPlan | undefined {
  if (state.Status !== 'exited' || note.stopped_run === state.StartedAt || note.gave_up_run === state.StartedAt) return undefined;
  if (rule.name === 'no' || (rule.name === 'on-failure' && state.ExitCode === 0 && !state.OOMKilled)) return undefined;
  // Written down already: the pause has begun.
  const before = note.restarts?.ended_run === state.StartedAt ? note.restarts.in_a_row - 1 : ranMs(state) >= STEADY_MS ? 0 : (note.restarts?.in_a_row ?? 0);
  const most = rule.most > 0 ? Math.min(rule.most, MOST_IN_A_ROW) : MOST_IN_A_ROW;
  if (before >= most) return undefined;
  return { in_a_row: before + 1, pause_ms: Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** before) };
}

const ranMs = (state: ContainerState): number => Math.max(0, new Date(state.FinishedAt).getTime() - new Date(state.StartedAt).getTime());

/** Between its end and its next start a guest is as good as running: also before anybody has written it down. Pure. */
export const isPending = ({ State, Config }: Pick<ContainerInspect, 'State' | 'Config'>, note: GuestNote): boolean => planRestart(restartRuleOf(Config.Labels), State, note) !== undefined;

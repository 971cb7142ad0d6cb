import type { ComputeDeps } from '../../deps.ts';
import { triggerCrashDump } from '../../model/crash-dump.ts';
import { versions } from '../../versions.ts';
import { type Action, anything } from './action.ts';

export function crashDumpActions(deps: ComputeDeps): Action[] {
  return [
    {
      name: 'trigger_crash_dump',
      summary: 'Have a server dump its state, by a signal to its first process',
      policy: 'os_compute_api:servers:trigger_crash_dump',
      since: versions.TRIGGER_CRASH_DUMP,
      body: anything('trigger_crash_dump'),
      act: (row, actor) => triggerCrashDump(deps, actor, row),
    },
  ];
}

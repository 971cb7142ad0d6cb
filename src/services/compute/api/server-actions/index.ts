import type { Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../../deps.ts';
import { actionEndpoint } from './action.ts';
import { changePasswordActions } from './change-password.ts';
import { consoleOutputActions } from './console-output.ts';
import { consoleActions } from './consoles.ts';
import { crashDumpActions } from './crash-dump.ts';
import { createImageActions } from './create-image.ts';
import { deferredDeleteActions } from './deferred-delete.ts';
import { fixedIpActions } from './fixed-ips.ts';
import { lockActions } from './lock.ts';
import { migrateActions } from './migrate.ts';
import { powerActions } from './power.ts';
import { rebuildActions } from './rebuild.ts';
import { rescueActions } from './rescue.ts';
import { resetStateActions } from './reset-state.ts';
import { resizeActions } from './resize.ts';
import { shelveActions } from './shelve.ts';
import { securityGroupActions } from './security-groups.ts';

export const serverActionEndpoints = (deps: ComputeDeps): Endpoint[] =>
  [
    ...powerActions(deps),
    ...lockActions(deps),
    ...resetStateActions(deps),
    ...deferredDeleteActions(deps),
    ...changePasswordActions(deps),
    ...crashDumpActions(deps),
    ...rescueActions(deps),
    ...securityGroupActions(deps),
    ...fixedIpActions(deps),
    ...consoleOutputActions(deps),
    ...consoleActions(deps),
    ...createImageActions(deps),
    ...resizeActions(deps),
    ...migrateActions(deps),
    ...rebuildActions(deps),
    ...shelveActions(deps),
  ].map((action) => actionEndpoint(deps, action));

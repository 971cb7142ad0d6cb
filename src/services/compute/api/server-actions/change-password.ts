import { Type } from 'typebox';
import type { ComputeDeps } from '../../deps.ts';
import { changePassword } from '../../model/change-password.ts';
import { type Action, closed } from './action.ts';

export function changePasswordActions(deps: ComputeDeps): Action[] {
  return [
    {
      name: 'changePassword',
      summary: 'Change the password of root, and of the user who logs in, in a running server',
      policy: 'os_compute_api:os-admin-password',
      body: Type.Object({ changePassword: Type.Object({ adminPass: Type.String() }, closed) }, closed),
      act: (row, actor, call) => changePassword(deps, actor, row, (call.body as { changePassword: { adminPass: string } }).changePassword.adminPass),
    },
  ];
}

import { Type } from 'typebox';
import { conflict } from '../../../../kernel/fault.ts';
import { checkAction } from '../../model/server-state.ts';
import { type Action, closed } from './action.ts';

export function changePasswordActions(): Action[] {
  return [
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

import { Type } from 'typebox';
import { notFound } from '../../../../kernel/fault.ts';
import type { ComputeDeps } from '../../deps.ts';
import { type Action, closed } from './action.ts';

export function securityGroupActions(deps: ComputeDeps): Action[] {
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

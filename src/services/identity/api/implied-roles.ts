import { Type } from 'typebox';
import { endpoint, reply, type Endpoint, type Call, type AnyCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { assertImplied, implyRole, stopImplying } from '../model/roles.ts';
import { findRole, findRoles, listImplied, listInferences } from '../store/roles.ts';
import type { RoleRow } from '../store/tables.ts';
import { linkTo } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';

const LIST = '/v3/roles/{role_id}/implies';
const ONE = '/v3/roles/{role_id}/implies/{implied_role_id}';

export const impliedRoleRules: PolicyRule[] = [
  rule('get_implied_role', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${ONE}`, 'Show that a role implies another.'),
  rule('list_implied_roles', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${LIST}`, 'List what a role implies.'),
  rule('create_implied_role', ADMIN, SYSTEM_OR_PROJECT, `PUT ${ONE}`, 'Let a role imply another.'),
  rule('delete_implied_role', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Let a role no longer imply another.'),
  rule('list_role_inference_rules', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, 'GET /v3/role_inferences', 'List which roles imply which.'),
  rule('check_implied_role', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `HEAD ${ONE}`, 'Ask whether a role implies another.'),
];

const inferenceReply = Type.Object({ role_inference: Type.Object({ prior_role: Type.Object({ id: Type.String() }), implies: Type.Unknown() }) });

export function impliedRoleEndpoints(identity: Identity): Endpoint[] {
  const brief = (call: AnyCall, row: RoleRow) => ({ id: row.id, ...linkTo(identity, call, 'roles', row.id), name: row.name });
  const role = async (id: string): Promise<RoleRow> => {
    const row = await findRole(identity.db.read, id);
    if (row === undefined) throw noSuch('role', id);
    return row;
  };
  const inference = ({ params }: { params: { role_id: string; implied_role_id: string } }) => ({ prior_role_id: params.role_id, implied_role_id: params.implied_role_id });
  const shown = async (call: Call<{ role_id: string; implied_role_id: string }, unknown, unknown>) => ({
    role_inference: { prior_role: brief(call, await role(call.params.role_id)), implies: brief(call, await role(call.params.implied_role_id)) },
    ...linkTo(identity, call, 'roles', call.params.role_id, 'implies', call.params.implied_role_id),
  });
  return [
    endpoint({
      id: 'identity:list_implied_roles', method: 'GET', path: LIST, summary: 'List what a role implies', policy: 'identity:list_implied_roles', reply: inferenceReply, status: 200,
      async handler(call) {
        const prior = await role(call.params.role_id);
        const implied = await listImplied(identity.db.read, prior.id);
        return {
          role_inference: { prior_role: brief(call, prior), implies: implied.map((row) => brief(call, row)) },
          ...linkTo(identity, call, 'roles', prior.id, 'implies'),
        };
      },
    }),
    endpoint({
      id: 'identity:create_implied_role', method: 'PUT', path: ONE, summary: 'Let a role imply another', policy: 'identity:create_implied_role', reply: inferenceReply, status: 201,
      async handler(call) {
        await implyRole(identity, inference(call));
        return await shown(call);
      },
    }),
    endpoint({
      id: 'identity:get_implied_role', method: 'GET', path: ONE, summary: 'Show that a role implies another', policy: 'identity:get_implied_role', reply: inferenceReply, status: 200,
      async handler(call) {
        await assertImplied(identity, inference(call));
        return await shown(call);
      },
    }),
    endpoint({
      id: 'identity:check_implied_role', method: 'HEAD', path: ONE, summary: 'Ask whether a role implies another', policy: 'identity:check_implied_role', status: 204,
      async handler(call) {
        await assertImplied(identity, inference(call));
        return reply();
      },
    }),
    endpoint({
      id: 'identity:delete_implied_role', method: 'DELETE', path: ONE, summary: 'Let a role no longer imply another', policy: 'identity:delete_implied_role', status: 204,
      async handler(call) {
        await stopImplying(identity, inference(call));
        return reply();
      },
    }),
    inferenceEndpoint(identity, brief),
  ];
}

function inferenceEndpoint(identity: Identity, brief: (call: AnyCall, row: RoleRow) => { id: string }): Endpoint {
  return endpoint({
    id: 'identity:list_role_inference_rules', method: 'GET', path: '/v3/role_inferences', summary: 'List all implications', policy: 'identity:list_role_inference_rules',
    reply: Type.Object({ role_inferences: Type.Array(Type.Object({ implies: Type.Array(Type.Object({ id: Type.String() })) })) }), status: 200,
    async handler(call) {
      const inferences = await listInferences(identity.db.read, identity.config.list_limit);
      const rows = await findRoles(identity.db.read, [...new Set(inferences.flatMap((one) => [one.prior_role_id, one.implied_role_id]))]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      const priors = [...new Set(inferences.map((one) => one.prior_role_id))];
      return {
        role_inferences: priors.map((prior) => ({
          prior_role: brief(call, byId.get(prior) as RoleRow),
          implies: inferences.filter((one) => one.prior_role_id === prior).map((one) => brief(call, byId.get(one.implied_role_id) as RoleRow)),
        })),
        ...linkTo(identity, call, 'role_inferences'),
      };
    },
  });
}

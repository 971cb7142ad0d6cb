import { Type } from 'typebox';
import type { AnyCall, Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { createPolicy, deletePolicy, updatePolicy, type PolicyInput } from '../model/policies.ts';
import { findPolicy, listPolicies } from '../store/policies.ts';
import type { PolicyRow } from '../store/tables.ts';
import { crudEndpoints, crudRules, type Resource } from './crud.ts';
import { linkTo, type Shown } from './lists.ts';
import { bodyOf } from './schemas.ts';

const type = Type.String({ maxLength: 255 });
const blob = Type.String({ maxLength: 100_000 });
const policies: Resource = {
  one: 'policy', many: 'policies', path: '/v3/policies', parameter: 'policy_id',
  create: bodyOf('policy', Type.Object({ type, blob })),
  update: bodyOf('policy', Type.Object({ type: Type.Optional(type), blob: Type.Optional(blob) }, { minProperties: 1 })),
};

export const policyRules: PolicyRule[] = crudRules(policies);

export function showPolicy(identity: Identity, call: AnyCall, row: PolicyRow): Shown {
  return { ...parseFields(row.extra), id: row.id, type: row.type, blob: row.blob, ...linkTo(identity, call, 'policies', row.id) };
}

export function policyEndpoints(identity: Identity): Endpoint[] {
  return crudEndpoints(identity, policies, {
    filters: { type: 'type' },
    list: (options) => listPolicies(identity.db.read, options),
    find: (id) => findPolicy(identity.db.read, id),
    show: (call, row) => showPolicy(identity, call, row),
    create: (body) => createPolicy(identity, body as PolicyInput & { type: string; blob: string }),
    update: (id, body) => updatePolicy(identity, id, body as PolicyInput),
    remove: (id) => deletePolicy(identity, id),
  });
}

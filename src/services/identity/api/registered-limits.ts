import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { createRegisteredLimits, deleteRegisteredLimit, noRegisteredLimit, updateRegisteredLimit, type RegisteredLimitInput } from '../model/registered-limits.ts';
import { findRegisteredLimit, listRegisteredLimits } from '../store/limits.ts';
import type { RegisteredLimitRow } from '../store/tables.ts';
import { crudEndpoints, type Resource } from './crud.ts';
import { linkTo, type Shown } from './lists.ts';
import { ADMIN, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf, nameString } from './schemas.ts';

const LIST = '/v3/registered_limits';
const ONE = `${LIST}/{registered_limit_id}`;

export const registeredLimitRules: PolicyRule[] = [
  rule('get_registered_limit', '', ANY_SCOPE, `GET ${ONE}`, 'Show a registered limit.'),
  rule('list_registered_limits', '', ANY_SCOPE, `GET ${LIST}`, 'List registered limits.'),
  rule('create_registered_limits', ADMIN, SYSTEM_OR_PROJECT, `POST ${LIST}`, 'Register limits.'),
  rule('update_registered_limit', ADMIN, SYSTEM_OR_PROJECT, `PATCH ${ONE}`, 'Change a registered limit.'),
  rule('delete_registered_limit', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete a registered limit.'),
];

/** -1: without limit. */
export const limitNumber = Type.Integer({ minimum: -1, maximum: 0x7fffffff });
export const limitedResource = {
  service_id: Type.String({ minLength: 1, maxLength: 64 }), region_id: Type.Optional(nullable(Type.String({ maxLength: 255 }))), resource_name: nameString(255),
};
export const limitText = Type.Optional(nullable(Type.String({ maxLength: 255 })));

const fields = { ...limitedResource, default_limit: limitNumber, description: limitText };
const createBody = Type.Object({ registered_limits: Type.Array(Type.Object(fields, { additionalProperties: false }), { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false });
const resource: Resource = {
  one: 'registered_limit', many: 'registered_limits', path: LIST, parameter: 'registered_limit_id',
  update: bodyOf('registered_limit', Type.Partial(Type.Object(fields), { additionalProperties: false })),
};

function show(identity: Identity, call: AnyCall, row: RegisteredLimitRow): Shown {
  return { ...row, region_id: row.region_id === '' ? null : row.region_id, ...linkTo(identity, call, 'registered_limits', row.id) };
}

export function registeredLimitEndpoints(identity: Identity): Endpoint[] {
  const crud = crudEndpoints<RegisteredLimitRow>(identity, resource, {
    filters: { service_id: 'service_id', region_id: 'region_id', resource_name: 'resource_name' },
    list: (options) => listRegisteredLimits(identity.db.read, options),
    find: (id) => findRegisteredLimit(identity.db.read, id),
    missing: noRegisteredLimit,
    show: (call, row) => show(identity, call, row),
    update: (id, body) => updateRegisteredLimit(identity, id, body as Partial<RegisteredLimitInput>),
    remove: (id) => deleteRegisteredLimit(identity, id),
  });
  return [
    ...crud,
    endpoint({
      id: 'identity:create_registered_limits', method: 'POST', path: LIST, summary: 'Register limits', policy: 'identity:create_registered_limits', body: createBody,
      reply: Type.Object({ registered_limits: Type.Array(Type.Object({ id: Type.String() })) }), status: 201,
      async handler(call) {
        const rows = await createRegisteredLimits(identity, call.body.registered_limits as RegisteredLimitInput[]);
        return { registered_limits: rows.map((row) => show(identity, call, row)) };
      },
    }),
  ];
}

import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, type Target, type PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { invalidField } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import { createLimits, deleteLimit, enforcementModel, noLimit, updateLimit, type LimitInput } from '../model/limits.ts';
import { findLimit, listLimits, type Visible } from '../store/limits.ts';
import { findProject } from '../store/projects.ts';
import type { LimitRow } from '../store/tables.ts';
import { crudEndpoints, type Resource } from './crud.ts';
import { linkTo, type Shown } from './lists.ts';
import { limitedResource, limitNumber, limitText } from './registered-limits.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf, idString } from './schemas.ts';

const LIST = '/v3/limits';
const ONE = `${LIST}/{limit_id}`;
const MODEL = `${LIST}/model` as const;
const OF_DOMAIN = '(domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s)';
const OF_PROJECT = '(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)';

export const limitRules: PolicyRule[] = [
  rule('get_limit_model', '', ANY_SCOPE, `GET ${MODEL}`, 'Ask how limits are enforced.'),
  rule('get_limit', `${ADMIN_OR_SYSTEM_READER} or ${OF_DOMAIN} or ${OF_PROJECT}`, ANY_SCOPE, `GET ${ONE}`, 'Show a limit.'),
  rule('list_limits', '', ANY_SCOPE, `GET ${LIST}`, 'List limits: of the own project or domain, or all.'),
  rule('create_limits', ADMIN, SYSTEM_OR_PROJECT, `POST ${LIST}`, 'Create limits.'),
  rule('update_limit', ADMIN, SYSTEM_OR_PROJECT, `PATCH ${ONE}`, 'Change a limit.'),
  rule('delete_limit', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete a limit.'),
];

const owner = Type.Optional(nullable(idString));
const newLimit = Type.Object({ ...limitedResource, resource_limit: limitNumber, description: limitText, project_id: owner, domain_id: owner }, { additionalProperties: false });
const createBody = Type.Object({ limits: Type.Array(newLimit, { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false });
const resource: Resource = {
  one: 'limit', many: 'limits', path: LIST, parameter: 'limit_id',
  update: bodyOf('limit', Type.Object({ resource_limit: Type.Optional(limitNumber), description: limitText }, { additionalProperties: false })),
};

function show(identity: Identity, call: AnyCall, { registered_limit_id: _above, ...row }: LimitRow): Shown {
  return { ...row, region_id: row.region_id === '' ? null : row.region_id, ...linkTo(identity, call, 'limits', row.id) };
}

async function target(identity: Identity, id: string): Promise<Target> {
  const limit = await findLimit(identity.db.read, id);
  if (limit === undefined) return {};
  if (limit.domain_id !== null) return { limit: { ...limit, domain: { id: limit.domain_id } } };
  return { limit: { ...limit, project: { domain_id: (await findProject(identity.db.read, limit.project_id as string))?.domain_id } } };
}

/** Of whom a caller sees limits; undefined: of nobody. */
function visibleTo({ auth, allows }: PathCall): Visible | undefined {
  if (auth.system_scope !== undefined || allows('identity_admin') || allows('service_role')) return 'all';
  if (auth.domain_id !== undefined) return { domain_id: auth.domain_id };
  return auth.project_id === undefined ? undefined : { project_id: auth.project_id };
}

export function limitEndpoints(identity: Identity): Endpoint[] {
  const crud = crudEndpoints<LimitRow>(identity, resource, {
    filters: { service_id: 'service_id', region_id: 'region_id', resource_name: 'resource_name', project_id: 'project_id', domain_id: 'domain_id' },
    targets: { one: (call) => target(identity, call.params['limit_id'] as string) },
    async list(options, call) {
      const visible = visibleTo(call);
      return visible === undefined ? { rows: [], more: false } : await listLimits(identity.db.read, options, visible);
    },
    find: (id) => findLimit(identity.db.read, id),
    missing: noLimit,
    show: (call, row) => show(identity, call, row),
    update: (id, body) => updateLimit(identity, id, body as Partial<LimitInput>),
    remove: (id) => deleteLimit(identity, id),
  });
  return [
    ...crud,
    endpoint({
      id: 'identity:create_limits', method: 'POST', path: LIST, summary: 'Create limits', policy: 'identity:create_limits', body: createBody,
      reply: Type.Object({ limits: Type.Array(Type.Object({ id: Type.String() })) }), status: 201,
      async handler(call) {
        const inputs = call.body.limits as LimitInput[];
        inputs.forEach((input, at) => {
          if (('project_id' in input) === ('domain_id' in input)) throw invalidField(`limits/${at}`, 'one of project_id and domain_id is needed, not both');
        });
        const rows = await createLimits(identity, inputs);
        return { limits: rows.map((row) => show(identity, call, row)) };
      },
    }),
    endpoint({
      id: 'identity:get_limit_model', method: 'GET', path: MODEL, summary: 'Ask how limits are enforced', policy: 'identity:get_limit_model',
      reply: Type.Object({ model: Type.Object({ name: Type.String(), description: Type.String() }) }), status: 200,
      handler() {
        const { name, description } = enforcementModel(identity);
        return { model: { name, description } };
      },
    }),
  ];
}

import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { plainBadRequest, projectQuotaNotFound, quotaMissingProject } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { defaultQuotas, effectiveQuotas, quotaResources, type Quotas } from '../model/quotas.ts';
import { boolean, range } from '../model/validate.ts';
import { allQuotas, countUsage, dropQuotas, lockQuotas, setQuota, type QuotaResource } from '../store/quotas.ts';
import { itemOf } from './attributes.ts';

const quota = Type.Object({ quota: Type.Record(Type.String(), Type.Unknown()) });
const limit = range(-1, 2_147_483_647);

/** Everyone may know the quotas of their own project. */
function allowRead(call: Call, id: string): void {
  if (id !== call.auth.project_id) call.enforce('get_quota', { project_id: id });
}

export function quotaEndpoints(env: NetworkDeps): Endpoint[] {
  return [...ownProject(), ...readEndpoints(env), updateEndpoint(env), deleteEndpoint(env)];
}

function ownProject(): Endpoint[] {
  return (['tenant', 'project'] as const).map((key) => endpoint({
    id: `quotas:own-${key}`, method: 'GET', path: `/v2.0/quotas/${key}`, summary: 'The project that the token is for', policy: 'regular_user', status: 200,
    reply: Type.Object({ [key]: Type.Object({ [`${key}_id`]: Type.String() }) }),
    handler: (call) => {
      if (call.auth.project_id === undefined) throw quotaMissingProject();
      return { [key]: { [`${key}_id`]: call.auth.project_id } } as never;
    },
  }));
}

function readEndpoints(env: NetworkDeps): Endpoint[] {
  const read = (id: string, path: `/v2.0/quotas/{project_id}${string}`, summary: string, load: (project_id: string) => Promise<Record<string, unknown>> | Record<string, unknown>): Endpoint =>
    endpoint({
      id, method: 'GET', path, summary, policy: 'regular_user', reply: quota, status: 200,
      handler: async (call) => {
        const { project_id } = call.params as { project_id: string };
        allowRead(call as Call, project_id);
        return { quota: await load(project_id) };
      },
    });
  return [
    endpoint({
      id: 'quotas:list', method: 'GET', path: '/v2.0/quotas', summary: 'List the quotas of projects with quotas of their own', policy: 'get_quota', status: 200,
      reply: Type.Object({ quotas: Type.Array(Type.Object({ project_id: Type.String() })) }),
      handler: async () => ({ quotas: await listAll(env) }),
    }),
    read('quotas:show', '/v2.0/quotas/{project_id}', 'Show the quotas of a project', (id) => effectiveQuotas(env, env.db.read, id)),
    read('quotas:default', '/v2.0/quotas/{project_id}/default', 'Show the quotas that projects have by default', () => defaultQuotas(env.config)),
    read('quotas:details', '/v2.0/quotas/{project_id}/details.json', 'Show the quotas of a project and what it uses', (id) => details(env, id)),
    read('quotas:details-bare', '/v2.0/quotas/{project_id}/details', 'Show the quotas of a project and what it uses', (id) => details(env, id)),
  ];
}

async function details(env: NetworkDeps, project_id: string): Promise<Record<string, unknown>> {
  const quotas = await effectiveQuotas(env, env.db.read, project_id);
  const used = await Promise.all(quotaResources.map((resource) => countUsage(env.db.read, project_id, resource)));
  return Object.fromEntries(quotaResources.map((resource, at) => [resource, { limit: quotas[resource], used: used[at], reserved: 0 }]));
}

async function listAll(env: NetworkDeps): Promise<({ project_id: string; tenant_id: string } & Quotas)[]> {
  const byProject = Map.groupBy(await allQuotas(env.db.read), (row) => row.project_id);
  return [...byProject].map(([project_id, rows]) => ({ ...defaultQuotas(env.config), ...Object.fromEntries(rows.map((row) => [row.resource, row.value])), project_id, tenant_id: project_id }));
}

function updateEndpoint(env: NetworkDeps): Endpoint {
  return endpoint({
    id: 'quotas:update', method: 'PUT', path: '/v2.0/quotas/{project_id}', summary: 'Change the quotas of a project', policy: 'update_quota',
    target: (call) => ({ project_id: call.params.project_id }), body: Type.Object({ quota: Type.Optional(Type.Unknown({ description: `Attributes: ${quotaResources.join(', ')}; check_limit: refuse what is less than in use.` })) }), reply: quota, status: 200,
    handler: async (call) => {
      const { project_id } = call.params;
      const { limits, checked } = readLimits(call.body);
      await env.db.transaction(async (tx) => {
        await lockQuotas(tx, project_id);
        for (const [resource, value] of limits) {
          const used = checked ? await countUsage(tx, project_id, resource) : 0;
          if (used > value && value >= 0) throw plainBadRequest(`Quota limit ${value} for ${resource} must be greater than or equal to already used ${used}`);
          await setQuota(tx, { project_id, resource, value });
        }
      });
      return { quota: await effectiveQuotas(env, env.db.read, project_id) };
    },
  });
}

/** `check_limit` refuses a limit below what is in use; `force`, its opposite, is how things are without it. */
function readLimits(body: unknown): { limits: [QuotaResource, number][]; checked: boolean } {
  const { force: _force, check_limit, tenant_id: _tenant, project_id: _project, ...asked } = itemOf(body, 'quota');
  const unknown = Object.keys(asked).filter((name) => !quotaResources.includes(name as QuotaResource));
  if (unknown.length > 0) throw plainBadRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  const limits = Object.entries(asked).map(([name, value]): [QuotaResource, number] => [name as QuotaResource, limit(value, name)]);
  return { limits, checked: check_limit !== undefined && boolean(check_limit, 'check_limit') };
}

function deleteEndpoint(env: NetworkDeps): Endpoint {
  return endpoint({
    id: 'quotas:delete', method: 'DELETE', path: '/v2.0/quotas/{project_id}', summary: 'Give a project the default quotas again', policy: 'delete_quota',
    target: (call) => ({ project_id: call.params.project_id }), status: 204,
    handler: async (call) => {
      const dropped = await env.db.transaction((tx) => dropQuotas(tx, call.params.project_id));
      if (dropped === 0) throw projectQuotaNotFound(call.params.project_id);
      return undefined;
    },
  });
}

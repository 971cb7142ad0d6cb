import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { defaultLimits, limitsOf, usedBy } from '../model/quotas.ts';
import { ADMIN, ANYBODY, READER, rule } from '../policies.ts';
import { forgetProjectLimits, saveClassLimits, saveProjectLimits, type Limits } from '../store/quotas.ts';
import { asBoolean, readerOf, shown } from './common.ts';

const limit = Type.Unsafe<number | string>({ anyOf: [{ type: 'integer', minimum: -1, maximum: 0x7fffffff }, { type: 'string', pattern: '^-?[0-9]{1,9}$' }] });
/** Names are those of the resources, and of resources by type: whatever types there are. */
const given = Type.Record(Type.String(), limit);
const setBody = <Name extends 'quota_set' | 'quota_class_set'>(name: Name) => Type.Object({ [name]: given } as Record<Name, typeof given>, { additionalProperties: false });

const PATH = '/v3/os-quota-sets/{project_id}';
const CLASS = '/v3/os-quota-class-sets/{quota_class_name}';
const target = (call: { params: { project_id: string } }) => ({ project_id: call.params.project_id });

/** @throws Fault 400 for what no quota is of */
function numbers(asked: Record<string, number | string>, known: Limits): Limits {
  const entries = Object.entries(asked).filter(([name]) => !['tenant_id', 'project_id', 'id', 'skip_validation', 'force', 'class_name'].includes(name));
  const unknown = entries.filter(([name]) => !Object.hasOwn(known, name)).map(([name]) => name);
  if (unknown.length > 0) throw badRequest('block-storage.quota-unknown', `Bad key(s) in quota set: ${unknown.join(', ')}`);
  const bad = entries.find(([, value]) => Number(value) < -1);
  if (bad !== undefined) throw badRequest('block-storage.quota-invalid', `Quota limit of ${bad[0]} must be -1 or greater.`);
  return Object.fromEntries(entries.map(([name, value]) => [name, Number(value)]));
}

const projectEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'quota-sets:show', method: 'GET', path: PATH, summary: 'Show the limits of a project', policy: 'volume_extension:quotas:show', target, status: 200, reply: shown('quota_set'),
    async handler(call) {
      const limits = await limitsOf(readerOf(deps), deps, call.params.project_id);
      if (!asBoolean(call.url.searchParams.get('usage') ?? false)) return { quota_set: { ...limits, id: call.params.project_id } };
      const used = await usedBy(readerOf(deps), deps, call.params.project_id);
      // Nothing is ever reserved: what is asked for counts at once.
      const usage = Object.fromEntries(Object.entries(limits).map(([name, most]) => [name, { limit: most, in_use: used[name] ?? 0, reserved: 0, allocated: 0 }]));
      return { quota_set: { ...usage, id: call.params.project_id } };
    },
  }),
  endpoint({
    id: 'quota-sets:defaults', method: 'GET', path: `${PATH}/defaults`, summary: 'Show the limits of a project that was given none', policy: 'volume_extension:quotas:show', target, status: 200,
    reply: shown('quota_set'),
    handler: async (call) => ({ quota_set: { ...(await defaultLimits(readerOf(deps), deps)), id: call.params.project_id } }),
  }),
  endpoint({
    id: 'quota-sets:update', method: 'PUT', path: PATH, summary: 'Set limits of a project', policy: 'volume_extension:quotas:update', target, status: 200, body: setBody('quota_set'),
    reply: shown('quota_set', {}),
    async handler(call) {
      const known = await limitsOf(readerOf(deps), deps, call.params.project_id);
      const wanted = numbers(call.body.quota_set, known);
      await deps.db.transaction((tx) => saveProjectLimits(tx, call.params.project_id, wanted));
      return { quota_set: { ...known, ...wanted } };
    },
  }),
  endpoint({
    id: 'quota-sets:delete', method: 'DELETE', path: PATH, summary: 'Give a project the default limits again', policy: 'volume_extension:quotas:delete', target, status: 200,
    async handler(call) {
      await deps.db.transaction((tx) => forgetProjectLimits(tx, call.params.project_id));
      return reply();
    },
  }),
];

type ClassCall = Pick<Call<{ quota_class_name: string }>, 'params'>;

const classEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const show = async (call: ClassCall) => ({ quota_class_set: { ...(await defaultLimits(readerOf(deps), deps, call.params.quota_class_name)), id: call.params.quota_class_name } });
  return [
    endpoint({
      id: 'quota-class-sets:show', method: 'GET', path: CLASS, summary: 'Show the limits of a class of projects', policy: 'volume_extension:quota_classes:get', status: 200, reply: shown('quota_class_set'),
      handler: show,
    }),
    endpoint({
      id: 'quota-class-sets:update', method: 'PUT', path: CLASS, summary: 'Set the limits of a class of projects', policy: 'volume_extension:quota_classes:update', status: 200,
      body: setBody('quota_class_set'), reply: shown('quota_class_set', {}),
      async handler(call) {
        const known = await defaultLimits(readerOf(deps), deps, call.params.quota_class_name);
        const wanted = numbers(call.body.quota_class_set, known);
        await deps.db.transaction((tx) => saveClassLimits(tx, call.params.quota_class_name, wanted));
        return { quota_class_set: { ...known, ...wanted } };
      },
    }),
  ];
};

export const quotaEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...projectEndpoints(deps), ...classEndpoints(deps)];

export const quotaPolicies: PolicyRule[] = [
  rule('volume_extension:quotas:show', READER, 'Show the limits of a project.', 'GET /os-quota-sets/{project_id}', 'GET /os-quota-sets/{project_id}/defaults'),
  rule('volume_extension:quotas:update', ADMIN, 'Set limits of a project.', 'PUT /os-quota-sets/{project_id}'),
  rule('volume_extension:quotas:delete', ADMIN, 'Give a project the default limits again.', 'DELETE /os-quota-sets/{project_id}'),
  rule('volume_extension:quota_classes:get', ADMIN, 'Show the limits of a class of projects.', 'GET /os-quota-class-sets/{quota_class_name}'),
  rule('volume_extension:quota_classes:update', ADMIN, 'Set the limits of a class of projects.', 'PUT /os-quota-class-sets/{quota_class_name}'),
  rule('volume_extension:extensions', ANYBODY, 'List extensions.', 'GET /extensions'),
];

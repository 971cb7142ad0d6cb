import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since, until } from '../../../kernel/api/microversion.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { classDefaults, defaultQuotas } from '../model/quota-sets.ts';
import { setClassQuotas, withLegacy } from '../model/quota-usage.ts';
import { classQuotas } from '../store/quota-sets.ts';
import { versions } from '../versions.ts';
import { limitText, shownQuotas, storedQuotas } from './quota-sets.ts';
import { ADMIN, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const NETWORK_UNTIL = versions.QUOTA_CLASS_GROUPS - 1;
const FILES_UNTIL = versions.NO_PERSONALITY - 1;

const always = ['instances', 'cores', 'ram', 'metadata_items', 'key_pairs'] as const;
const groups = ['server_groups', 'server_group_members'] as const;
const files = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'] as const;
const network = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'] as const;

const fields = <T extends string, S>(names: readonly T[], schema: S) => Object.fromEntries(names.map((name) => [name, schema])) as Record<T, S>;

const asked = Type.Object(
  {
    ...fields([...always, ...groups], Type.Optional(limitText)),
    ...fields(files, Type.Optional(until(FILES_UNTIL, limitText))),
    ...fields(network, Type.Optional(until(NETWORK_UNTIL, limitText))),
  },
  { additionalProperties: false },
);

const limit = Type.Integer({ minimum: -1 });
const classReply = Type.Object({
  quota_class_set: Type.Object({
    id: Type.Optional(Type.String()),
    ...fields(always, limit),
    ...fields(groups, since(versions.QUOTA_CLASS_GROUPS, limit)),
    ...fields(files, until(FILES_UNTIL, limit)),
    ...fields(network, until(NETWORK_UNTIL, limit)),
  }),
});

async function limitsOfClass(deps: ComputeDeps, name: string) {
  if (deps.config.quota_driver === 'unified') return shownQuotas(withLegacy(await classDefaults(readerOf(deps), deps)));
  const set = Object.fromEntries(await classQuotas(readerOf(deps), name));
  return shownQuotas(withLegacy({ ...defaultQuotas(deps.config), ...set }));
}

const PATH = '/v2.1/os-quota-class-sets/{quota_class}';

export const quotaClassSetEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'quota-class-sets:show', method: 'GET', path: PATH, summary: 'Show the limits of a quota class', policy: 'os_compute_api:os-quota-class-sets:show',
    status: 200, reply: classReply,
    handler: async (call) => ({ quota_class_set: { id: call.params.quota_class, ...(await limitsOfClass(deps, call.params.quota_class)) } }),
  }),
  endpoint({
    id: 'quota-class-sets:update', method: 'PUT', path: PATH, summary: 'Set limits of a quota class; `default` is for every project without limits',
    policy: 'os_compute_api:os-quota-class-sets:update', status: 200,
    body: Type.Object({ quota_class_set: asked }, { additionalProperties: false }),
    reply: classReply,
    async handler(call) {
      const { quota_class } = call.params;
      if (quota_class.length > 255) throw badRequest('compute.quota-class', 'Invalid input received: quota_class_name has more than 255 characters.');
      await setClassQuotas(deps, quota_class, storedQuotas(call.body.quota_class_set));
      return { quota_class_set: await limitsOfClass(deps, quota_class) };
    },
  }),
];

export const quotaClassSetPolicies: PolicyRule[] = [
  rule('os-quota-class-sets:show', ADMIN, 'Show the limits of a quota class.', 'GET /os-quota-class-sets/{quota_class}'),
  rule('os-quota-class-sets:update', ADMIN, 'Set limits of a quota class.', 'PUT /os-quota-class-sets/{quota_class}'),
];

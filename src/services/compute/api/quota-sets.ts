import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { until } from '../../../kernel/api/microversion.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { requireProject } from '../model/flavor-access.ts';
import { classDefaults } from '../model/quota-sets.ts';
import { type AllQuotas, forgetQuotas, limitsOf, type QuotaOwner, setQuotas, usedBy, withLegacy } from '../model/quota-usage.ts';
import { versions } from '../versions.ts';
import { strictQuery } from './common.ts';
import { asBoolean, looseBoolean } from './parameters.ts';
import { ADMIN, ANYBODY, READER, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const MAX_INT = 0x7fffffff;
export const limitText = Type.Union([Type.Integer({ minimum: -1, maximum: MAX_INT }), Type.String({ pattern: '^-?[0-9]{1,9}$' })]);

const NETWORK_UNTIL = versions.NO_PROXIES - 1;
const FILES_UNTIL = versions.NO_PERSONALITY - 1;

const limits = {
  instances: Type.Optional(limitText),
  cores: Type.Optional(limitText),
  ram: Type.Optional(limitText),
  metadata_items: Type.Optional(limitText),
  key_pairs: Type.Optional(limitText),
  server_groups: Type.Optional(limitText),
  server_group_members: Type.Optional(limitText),
  injected_files: Type.Optional(until(FILES_UNTIL, limitText)),
  injected_file_content_bytes: Type.Optional(until(FILES_UNTIL, limitText)),
  injected_file_path_bytes: Type.Optional(until(FILES_UNTIL, limitText)),
  fixed_ips: Type.Optional(until(NETWORK_UNTIL, limitText)),
  floating_ips: Type.Optional(until(NETWORK_UNTIL, limitText)),
  security_groups: Type.Optional(until(NETWORK_UNTIL, limitText)),
  security_group_rules: Type.Optional(until(NETWORK_UNTIL, limitText)),
};

const shownLimit = Type.Integer({ minimum: -1 });
const usage = Type.Object({ limit: shownLimit, in_use: Type.Integer(), reserved: Type.Integer() });

function quotaReply<T extends typeof shownLimit | typeof usage>(value: T) {
  const { injected_files, injected_file_content_bytes, injected_file_path_bytes, fixed_ips, floating_ips, security_groups, security_group_rules, ...always } =
    Object.fromEntries(Object.keys(limits).map((name) => [name, value])) as Record<keyof typeof limits, T>;
  return Type.Object({
    quota_set: Type.Object({
      id: Type.Optional(Type.String()),
      ...always,
      ...eachUntil(FILES_UNTIL, { injected_files, injected_file_content_bytes, injected_file_path_bytes }),
      ...eachUntil(NETWORK_UNTIL, { fixed_ips, floating_ips, security_groups, security_group_rules }),
    }),
  });
}

function eachUntil<T extends Record<string, typeof shownLimit | typeof usage>>(version: number, fields: T): T {
  return Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, until(version, schema)])) as T;
}

/** Only this one is called otherwise on the wire than in the configuration. */
const STORED = { injected_file_path_bytes: 'injected_file_path_length' } as const;

/** Wire names. */
export function shownQuotas(quotas: AllQuotas): Record<keyof typeof limits, number> {
  const { injected_file_path_length, ...rest } = quotas;
  return { ...rest, injected_file_path_bytes: injected_file_path_length };
}

/** As rows name them, as numbers. */
export function storedQuotas(given: Readonly<Record<string, number | string | undefined>>): Record<string, number> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [STORED[name as keyof typeof STORED] ?? name, Number(value)]));
}

type QuotaCall = Pick<Call<{ project_id: string }>, 'params' | 'url'>;

function ownerOf(call: QuotaCall): QuotaOwner {
  const user_id = call.url.searchParams.get('user_id');
  return { project_id: call.params.project_id, user_id: user_id === null || user_id === '' ? undefined : user_id };
}

const target = (call: { params: { project_id: string } }) => ({ project_id: call.params.project_id });
const query = Type.Object({ user_id: Type.Optional(Type.String()) });
const PATH = '/v2.1/os-quota-sets/{project_id}';

const readEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'quota-sets:show', method: 'GET', path: PATH, summary: 'Show the limits of a project', policy: 'os_compute_api:os-quota-sets:show', target, status: 200,
    query, reply: quotaReply(shownLimit),
    async handler(call) {
      strictQuery(call, ['user_id']);
      await requireProject(deps, call.params.project_id);
      const quotas = await limitsOf(readerOf(deps), deps, ownerOf(call));
      return { quota_set: { id: call.params.project_id, ...shownQuotas(quotas) } };
    },
  }),
  endpoint({
    id: 'quota-sets:detail', method: 'GET', path: `${PATH}/detail`, summary: 'Show the limits of a project and what it uses',
    policy: 'os_compute_api:os-quota-sets:detail', target, status: 200, query, reply: quotaReply(usage),
    async handler(call) {
      strictQuery(call, ['user_id']);
      await requireProject(deps, call.params.project_id);
      const owner = ownerOf(call);
      const quotas = shownQuotas(await limitsOf(readerOf(deps), deps, owner));
      const used = await usedBy(readerOf(deps), owner);
      // Nothing is ever reserved: servers count from the moment that they are asked for.
      const entries = Object.entries(quotas).map(([name, limit]) => [name, { limit, in_use: used[name] ?? 0, reserved: 0 }]);
      return { quota_set: { id: call.params.project_id, ...Object.fromEntries(entries) } };
    },
  }),
  endpoint({
    id: 'quota-sets:defaults', method: 'GET', path: `${PATH}/defaults`, summary: 'Show the limits of a project that was given none',
    policy: 'os_compute_api:os-quota-sets:defaults', target, status: 200, reply: quotaReply(shownLimit),
    async handler(call) {
      await requireProject(deps, call.params.project_id);
      const quotas = withLegacy(await classDefaults(readerOf(deps), deps));
      return { quota_set: { id: call.params.project_id, ...shownQuotas(quotas) } };
    },
  }),
];

const writeEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'quota-sets:update', method: 'PUT', path: PATH, summary: 'Set limits of a project', policy: 'os_compute_api:os-quota-sets:update', target, status: 200,
    query,
    body: Type.Object({ quota_set: Type.Object({ ...limits, force: Type.Optional(looseBoolean) }, { additionalProperties: false }) }, { additionalProperties: false }),
    reply: quotaReply(shownLimit),
    async handler(call) {
      strictQuery(call, ['user_id']);
      await requireProject(deps, call.params.project_id);
      const { force, ...asked } = call.body.quota_set;
      const quotas = await setQuotas(deps, ownerOf(call), storedQuotas(asked), asBoolean(force ?? false));
      return { quota_set: shownQuotas(quotas) };
    },
  }),
  endpoint({
    id: 'quota-sets:delete', method: 'DELETE', path: PATH, summary: 'Give a project the default limits again',
    policy: 'os_compute_api:os-quota-sets:delete', target, status: 202, query,
    async handler(call) {
      strictQuery(call, ['user_id']);
      await forgetQuotas(deps, ownerOf(call));
      return reply();
    },
  }),
];

export const quotaSetEndpoints = (deps: ComputeDeps): Endpoint[] => [...readEndpoints(deps), ...writeEndpoints(deps)];

const QUOTAS = '/os-quota-sets/{tenant_id}';

export const quotaSetPolicies: PolicyRule[] = [
  rule('os-quota-sets:show', READER, 'Show the limits of a project.', `GET ${QUOTAS}`),
  rule('os-quota-sets:detail', READER, 'Show the limits of a project and what it uses.', `GET ${QUOTAS}/detail`),
  rule('os-quota-sets:defaults', ANYBODY, 'Show the limits of a project that was given none.', `GET ${QUOTAS}/defaults`),
  rule('os-quota-sets:update', ADMIN, 'Set limits of a project.', `PUT ${QUOTAS}`),
  rule('os-quota-sets:delete', ADMIN, 'Give a project the default limits again.', `DELETE ${QUOTAS}`),
];

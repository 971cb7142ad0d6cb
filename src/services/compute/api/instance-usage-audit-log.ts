/** What the audit of usage has done. No host here runs one, which is nova's default too: each is told as not run. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes } from '../store/nodes.ts';
import { ADMIN, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const PATH = '/v2.1/os-instance_usage_audit_log';
const TIME = /^(\d{4}-\d\d?-\d\d?) (\d\d?:\d\d?:\d\d?)(\.\d{1,6})?$/;
const count = Type.Integer();
const log = Type.Object({
  period_beginning: Type.String(), period_ending: Type.String(), num_hosts: count, num_hosts_done: count, num_hosts_running: count, num_hosts_not_run: count,
  hosts_not_run: Type.Array(Type.String()), total_instances: count, total_errors: count, overall_status: Type.String(), log: Type.Object({}),
});

/** @throws Fault 400 */
function instantOf(text: string): Date {
  const [, day, time, fraction = ''] = TIME.exec(text) ?? [];
  const padded = (parts: string | undefined, by: string): string => (parts ?? '').split(by).map((part) => part.padStart(2, '0')).join(by);
  const at = new Date(`${padded(day, '-')}T${padded(time, ':')}${fraction}Z`);
  if (Number.isNaN(at.getTime())) throw badRequest('compute.audit-time', `Invalid timestamp for date ${text}`);
  return at;
}

const midnight = (year: number, month: number): string => new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 19).replace('T', ' ');

/** Of the last whole month before this instant. */
async function auditLog(deps: ComputeDeps, before: Date) {
  const hosts = (await listNodes(readerOf(deps))).map(({ host }) => host);
  const [year, month] = [before.getUTCFullYear(), before.getUTCMonth()];
  return {
    period_beginning: midnight(year, month - 1), period_ending: midnight(year, month), num_hosts: hosts.length, num_hosts_done: 0, num_hosts_running: 0,
    num_hosts_not_run: hosts.length, hosts_not_run: hosts, total_instances: 0, total_errors: 0,
    overall_status: `${hosts.length === 0 ? 'ALL' : `0 of ${hosts.length}`} hosts done. 0 errors.`, log: {},
  };
}

export const instanceUsageAuditLogEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'instance-usage-audit-log:list', method: 'GET', path: PATH, summary: 'Show what the audit of usage has done', policy: 'os_compute_api:os-instance-usage-audit-log:list', status: 200,
    reply: Type.Object({ instance_usage_audit_logs: log }),
    handler: async () => ({ instance_usage_audit_logs: await auditLog(deps, deps.clock.now()) }),
  }),
  endpoint({
    id: 'instance-usage-audit-log:show', method: 'GET', path: `${PATH}/{before_timestamp}`, summary: 'Show what the audit of usage had done before an instant',
    policy: 'os_compute_api:os-instance-usage-audit-log:show', status: 200, reply: Type.Object({ instance_usage_audit_log: log }),
    handler: async (call) => ({ instance_usage_audit_log: await auditLog(deps, instantOf(call.params.before_timestamp)) }),
  }),
];

export const instanceUsageAuditLogPolicies: PolicyRule[] = [
  rule('os-instance-usage-audit-log:list', ADMIN, 'Show what the audit of usage has done.', 'GET /os-instance_usage_audit_log'),
  rule('os-instance-usage-audit-log:show', ADMIN, 'Show what the audit of usage had done before an instant.', 'GET /os-instance_usage_audit_log/{before_timestamp}'),
];

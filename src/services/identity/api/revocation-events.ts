/** What was revoked, for those who check tokens themselves (`OS-REVOKE`). */
import { isoMicros } from '../../../kernel/clock.ts';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { listRevocations } from '../store/access.ts';
import type { RevocationRow } from '../store/tables.ts';
import { listReply, whole } from './lists.ts';
import { rule, SERVICE_OR_ADMIN, SYSTEM_OR_PROJECT } from './rules.ts';

const PATH = '/v3/OS-REVOKE/events';

export const revocationEventRules: PolicyRule[] = [
  rule('list_revoke_events', SERVICE_OR_ADMIN, SYSTEM_OR_PROJECT, `GET ${PATH}`, 'List what was revoked.'),
];

const KEYS: Readonly<Record<RevocationRow['kind'], string>> = {
  audit: 'audit_id', chain: 'audit_chain_id', user: 'user_id', project: 'project_id', trust: 'OS-TRUST:trust_id',
  application_credential: 'application_credential_id', access_token: 'OS-OAUTH1:access_token_id',
};

function showEvent({ kind, value, revoked_at, made_at }: RevocationRow): object {
  // A single token is revoked whenever it was made: its instant in the row is its end.
  const issued_before = isoMicros(new Date(Number(kind === 'audit' ? made_at : revoked_at)));
  return { [KEYS[kind]]: value, issued_before, revoked_at: isoMicros(new Date(Number(made_at))) };
}

export function revocationEventEndpoints(identity: Identity): Endpoint[] {
  return [
    endpoint({
      id: 'identity:list_revoke_events', method: 'GET', path: PATH, summary: 'List revocations', policy: 'identity:list_revoke_events', reply: listReply('events'), status: 200,
      async handler(call) {
        const rows = await listRevocations(identity.db.read, readSince((call).url.searchParams.get('since')), identity.config.list_limit);
        return whole(identity, call, 'events', rows.map(showEvent));
      },
    }),
  ];
}

/** Milliseconds since 1970. */
function readSince(text: string | null): number {
  if (text === null || text === '') return 0;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`) : Number.NaN;
  if (Number.isNaN(at)) throw badRequest('identity.query-invalid', `invalidate date format ${text}`);
  return at;
}

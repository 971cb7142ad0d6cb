import type { Clock } from './clock.ts';
import type { Log } from './log/log.ts';

/** Who calls, as oslo.context has it: read from a validated token. */
export interface Auth {
  readonly token: string;
  readonly user_id: string;
  readonly user_name: string;
  readonly user_domain_id: string;
  readonly user_domain_name: string;
  readonly project_id: string | undefined;
  readonly project_name: string | undefined;
  readonly project_domain_id: string | undefined;
  readonly domain_id: string | undefined;
  readonly domain_name: string | undefined;
  /** `all` for a system-scoped token. */
  readonly system_scope: 'all' | undefined;
  /** Role names, implied ones included, lower-case as stored. */
  readonly roles: readonly string[];
  readonly role_ids: readonly string[];
  readonly is_admin_project: boolean;
  /** ISO instant. */
  readonly expires_at: string;
  readonly application_credential_id: string | undefined;
  readonly trust_id: string | undefined;
  /** Of OAuth 1.0a: a program acts for the user. */
  readonly access_token_id?: string | undefined;
  /** When there, the token may call nothing else: from an application credential that was narrowed down. */
  readonly access_rules?: readonly AccessRule[];
}

/** One call that an application credential may make; `path` is relative to the service, with `*`, `**` and `{name}`. */
export interface AccessRule {
  /** Type as in the catalog. */
  readonly service: string;
  readonly path: string;
  readonly method: string;
}

/** What every operation is handed: no globals. */
export interface Context {
  readonly request_id: string;
  /** The caller's own `X-Openstack-Request-Id`, when it sent a well-formed one. */
  readonly global_request_id: string | undefined;
  readonly log: Log;
  readonly clock: Clock;
  /** Undefined only on endpoints that declare `policy: 'public'` or `policy: 'node'`. */
  readonly auth: Auth | undefined;
}

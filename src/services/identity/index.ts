/** Identity v3: who may do what, where; and the catalog of what there is. */
import { dirname, join } from 'node:path';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import { rulesFor } from './api/administrators.ts';
import { identityEndpoints, identityRules } from './api/index.ts';
import type { IdentityClient, ProjectInfo } from './client.ts';
import type { IdentityConfig } from './config.ts';
import { formatFault, invalid } from './faults.ts';
import { purgeOauthTokens } from './jobs/purge-oauth-tokens.ts';
import { purgeRevocations } from './jobs/purge-revocations.ts';
import { rotateCredentialKeysOnTime } from './jobs/rotate-credential-keys.ts';
import { rotateKeysOnTime } from './jobs/rotate-keys.ts';
import { bootstrap, type BootstrapOptions } from './model/bootstrap.ts';
import { CatalogCache } from './model/catalog.ts';
import { openKeyRing } from './model/fernet-keys.ts';
import type { Identity } from './model/identity.ts';
import { LimitCache } from './model/limit-cache.ts';
import { assertDepth, limitOf } from './model/limits.ts';
import { logIn } from './model/log-in.ts';
import { createLoginGuard } from './model/login-guard.ts';
import { createNonceGuard } from './model/nonce-guard.ts';
import { CLOCK_SKEW } from './model/oauth1.ts';
import { passwordPattern } from './model/passwords.ts';
import { createOidcVerifier } from './model/oidc.ts';
import { TokenCache } from './model/token-cache.ts';
import { validateToken } from './model/tokens.ts';
import { findProject, findProjectByName } from './store/projects.ts';
import { migrations } from './store/migrations/index.ts';
import type { ProjectRow, Tables } from './store/tables.ts';

export { IdentitySection, type IdentityConfig } from './config.ts';
export type { BootstrapOptions } from './model/bootstrap.ts';
export { rotateKeys } from './model/fernet-keys.ts';

export interface IdentityDeps {
  db: Database<any>;
  clock: Clock;
  log: Log;
  /** Section `[identity]`, with `fernet_keys` filled in. */
  config: IdentityConfig;
  /** `[api] public_url`; empty: callers are shown the host that they asked. */
  public_url: string;
}

export interface IdentityService {
  service: Service;
  client: IdentityClient;
  /** Makes the first rows be there; call it at every start, after the migrations. */
  bootstrap(options: BootstrapOptions): Promise<void>;
}

export function createIdentityService(deps: IdentityDeps): IdentityService {
  const config: IdentityConfig = { ...deps.config, credential_keys: deps.config.credential_keys || join(dirname(deps.config.fernet_keys), 'credential-keys') };
  const identity: Identity = {
    db: as<Tables>(deps.db),
    clock: deps.clock,
    log: deps.log,
    config,
    public_url: deps.public_url.replace(/\/+$/, ''),
    keys: openKeyRing(deps.config.fernet_keys),
    credential_keys: openKeyRing(config.credential_keys),
    tokens: new TokenCache(),
    catalog: new CatalogCache(),
    limits: new LimitCache(),
    guard: createLoginGuard(deps.clock, deps.config.failed_logins),
    nonces: createNonceGuard(deps.clock, CLOCK_SKEW),
    password_pattern: passwordPattern(deps.config.password_regex),
    oidc: createOidcVerifier(deps.clock, deps.log),
    listeners: { project_deleted: [] },
  };
  const place: Place = { region: '' };
  return {
    service: {
      name: 'identity',
      prefix: '/identity',
      endpoints: identityEndpoints(identity),
      policies: rulesFor(config.administrators, identityRules),
      formatFault,
      invalid,
      ownUnauthorized: true,
      trailingSlash: true,
      tasks: [],
      jobs: [purgeRevocations(identity), rotateKeysOnTime(identity), rotateCredentialKeysOnTime(identity), purgeOauthTokens(identity)],
      migrations,
    },
    client: createClient(identity, place),
    async bootstrap(options) {
      place.region = options.region;
      await assertDepth(identity);
      await bootstrap(identity, options);
    },
  };
}

/** Where this controller is. */
interface Place {
  region: string;
}

function createClient(identity: Identity, place: Place): IdentityClient {
  return {
    authenticate: async (token) => (await validateToken(identity, token))?.auth,
    findProject: async (id) => projectInfo(await findProject(identity.db.read, id)),
    logIn: (login) => logIn(identity, login),
    findProjectByName: async (name, domain_id) => projectInfo(await findProjectByName(identity.db.read, domain_id, name)),
    limitOf: (question) => limitOf(identity, question, place.region),
    onProjectDeleted: (listener) => void identity.listeners.project_deleted.push(listener),
  };
}

function projectInfo(row: ProjectRow | undefined): ProjectInfo | undefined {
  return row && { id: row.id, name: row.name, domain_id: row.domain_id, enabled: row.enabled === 1 };
}

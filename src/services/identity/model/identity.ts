import type { Transaction } from 'kysely';
import type { Clock } from '../../../kernel/clock.ts';
import { onCommit, type Database } from '../../../kernel/db/database.ts';
import type { Log } from '../../../kernel/log/log.ts';
import type { IdentityConfig } from '../config.ts';
import { currentGeneration, nextGeneration } from '../store/state.ts';
import type { Tables } from '../store/tables.ts';
import type { CatalogCache } from './catalog.ts';
import type { KeyRing } from './fernet-keys.ts';
import type { LimitCache } from './limit-cache.ts';
import type { LoginGuard } from './login-guard.ts';
import type { OidcVerifier } from './oidc.ts';
import type { NonceGuard } from './nonce-guard.ts';
import type { TokenCache } from './token-cache.ts';

export type Tx = Transaction<Tables>;

/** What every operation of identity works with. */
export interface Identity {
  readonly db: Database<Tables>;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: IdentityConfig;
  /** Without a slash at its end; '' when callers are shown the host that they asked. */
  readonly public_url: string;
  readonly keys: KeyRing;
  /** What the secrets of users are encrypted with. */
  readonly credential_keys: KeyRing;
  readonly tokens: TokenCache;
  readonly catalog: CatalogCache;
  readonly limits: LimitCache;
  readonly guard: LoginGuard;
  readonly nonces: NonceGuard;
  /** What every new password has to match. */
  readonly password_pattern: RegExp | undefined;
  readonly oidc: OidcVerifier;
  readonly listeners: { project_deleted: ((project_id: string) => void)[] };
}

/** What a change may have made untrue about tokens that were found valid before. */
export type Changed = { user_id: string } | { project_id: string } | 'everybody' | 'catalog' | 'limits';

/**
 * Runs a change of identity's rows. Once it has committed, this process forgets at once what it knew of the tokens that are
 * touched, and other controllers learn by the generation that something happened.
 */
export async function change<T>(identity: Identity, work: (tx: Tx, touch: (what: Changed) => void) => Promise<T>): Promise<T> {
  return await identity.db.transaction(async (tx) => {
    const touched: Changed[] = [];
    const result = await work(tx, (what) => touched.push(what));
    if (touched.length === 0) return result;
    const generation = await nextGeneration(tx);
    onCommit(tx, () => {
      identity.limits.forget();
      for (const what of touched) {
        if (what === 'limits') continue;
        if (what === 'catalog') identity.catalog.forget();
        else if (what === 'everybody') identity.tokens.forgetAll();
        else if ('user_id' in what) identity.tokens.forgetUser(what.user_id);
        else identity.tokens.forgetProject(what.project_id);
      }
      identity.tokens.reached(generation);
    });
    return result;
  });
}

/** Forgets what another controller has changed since; asks the database at most once a second. */
export async function catchUp(identity: Identity): Promise<void> {
  if (!(await identity.tokens.catchUp(identity.clock.now().getTime(), () => currentGeneration(identity.db.read)))) return;
  identity.catalog.forget();
  identity.limits.forget();
}

export type Touch = (what: Changed) => void;

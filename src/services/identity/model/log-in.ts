/** A login for clients that do not speak our API. */
import type { Auth } from '../../../kernel/context.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Login } from '../client.ts';
import { authenticate, type AuthRequest } from './authenticate.ts';
import type { Identity } from './identity.ts';

/** Undefined: refused. */
export async function logIn(identity: Identity, login: Login): Promise<{ token: string; auth: Auth } | undefined> {
  try {
    const issued = await authenticate(identity, requestOf(login));
    // who has to prove more than a password uses an application credential
    return 'receipt' in issued ? undefined : { token: issued.id, auth: issued.token.auth };
  } catch (error) {
    if (isFault(error) && (error.status === 401 || error.status === 403)) return undefined;
    throw error;
  }
}

function requestOf(login: Login): AuthRequest {
  if ('application_credential_id' in login) {
    return { identity: { methods: ['application_credential'], application_credential: { id: login.application_credential_id, secret: login.secret } } };
  }
  const scope = login.project_id === undefined ? {} : { scope: { project: { id: login.project_id } } };
  if ('token' in login) return { identity: { methods: ['token'], token: { id: login.token } }, ...scope };
  const { user, password } = login;
  return { identity: { methods: ['password'], password: { user: { name: user.name, domain: { id: user.domain_id }, password } } }, ...scope };
}

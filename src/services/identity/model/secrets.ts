/** Secrets as they are kept: encrypted with the primary one of the credential keys. */
import type { Identity } from './identity.ts';

export interface Sealed {
  text: string;
  /** Of the key, so that what an older one encrypted can be found. */
  key_hash: string;
}

export function seal(identity: Identity, secret: string): Sealed {
  const ring = identity.credential_keys;
  return { text: ring.encrypt(Buffer.from(secret, 'utf8'), Math.floor(identity.clock.now().getTime() / 1000)), key_hash: ring.primary() };
}

/** @param what names the row, for the log, when its key is lost */
export function unseal(identity: Identity, text: string, what: string): string {
  const secret = identity.credential_keys.decrypt(text);
  if (secret === undefined) throw new Error(`${what} was encrypted with a key that is not here`);
  return secret.toString('utf8');
}

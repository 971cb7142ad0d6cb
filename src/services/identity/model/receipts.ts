/** Proof that some of the methods that a user has to log in by were passed: good with the others, for a short while. */
import { isoMicros } from '../../../kernel/clock.ts';
import { unauthorized, type Fault } from '../../../kernel/fault.ts';
import { isRevoked, type AccessUser } from '../store/access.ts';
import { parseFields } from './fields.ts';
import type { Identity } from './identity.ts';
import { METHODS, type Method } from './token-payload.ts';

/** Tells a receipt from a token, which the same keys make. */
const MARK = 0x72;

export interface Receipt {
  id: string;
  body: Record<string, unknown>;
}

/** The rules of a user that can be fulfilled at all; none: any method will do. */
function rulesOf(user: AccessUser): Method[][] {
  const { multi_factor_auth_enabled: enabled, multi_factor_auth_rules: rules = [] } = parseFields(user.options) as { multi_factor_auth_enabled?: boolean; multi_factor_auth_rules?: string[][] };
  if (enabled === false) return [];
  const known = (method: string): method is Method => (METHODS as readonly string[]).includes(method);
  return rules.map((rule) => rule.filter(known)).filter((rule) => rule.length > 0);
}

/** A user may demand that certain methods come together. */
export function fulfilsRules(user: AccessUser, methods: readonly Method[]): boolean {
  const rules = rulesOf(user);
  return rules.length === 0 || rules.some((rule) => rule.every((method) => methods.includes(method)));
}

export function makeReceipt(identity: Identity, user: AccessUser, methods: readonly Method[]): Receipt {
  const now = identity.clock.now().getTime();
  const expires = Math.floor(now / 1000) + identity.config.receipt_expiration;
  const head = Buffer.alloc(13);
  head[0] = MARK;
  head[1] = methods.reduce((bits, method) => bits | (1 << METHODS.indexOf(method)), 0);
  head.writeUIntBE(expires, 2, 5);
  head.writeUIntBE(now, 7, 6);
  return {
    id: identity.keys.encrypt(Buffer.concat([head, Buffer.from(user.id, 'utf8')]), Math.floor(now / 1000)),
    body: {
      receipt: {
        methods,
        user: { id: user.id, name: user.name, domain: { id: user.domain_id, name: user.domain_name } },
        expires_at: isoMicros(new Date(expires * 1000)),
        issued_at: isoMicros(new Date(Math.floor(now / 1000) * 1000)),
      },
      required_auth_methods: rulesOf(user).filter((rule) => rule.some((method) => methods.includes(method))),
    },
  };
}

/** The methods that a receipt stands for. @throws Fault 401 for one that is not this user's, has run out or was revoked */
export async function readReceipt(identity: Identity, user: AccessUser, id: string): Promise<Method[]> {
  const bytes = identity.keys.decrypt(id);
  if (bytes === undefined || bytes.length < 14 || bytes[0] !== MARK || bytes.toString('utf8', 13) !== user.id) throw noReceipt();
  if (bytes.readUIntBE(2, 5) * 1000 <= identity.clock.now().getTime()) throw noReceipt();
  if (await isRevoked(identity.db.read, [{ kind: 'user', value: user.id }], bytes.readUIntBE(7, 6))) throw noReceipt();
  return METHODS.filter((_method, bit) => ((bytes[1] as number) & (1 << bit)) !== 0);
}

/** What was sent is not repeated: it would be a reflection of anything. */
const noReceipt = (): Fault => unauthorized('identity.receipt-not-found', 'Could not find auth receipt.');

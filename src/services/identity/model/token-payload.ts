/** What a token says, in few enough bytes that the token stays under 255 characters. */

export type Scope =
  | { kind: 'unscoped' }
  | { kind: 'project' | 'domain'; id: string }
  | { kind: 'system' };

export interface TokenPayload {
  user_id: string;
  scope: Scope;
  /** In the order in which they are shown. */
  methods: readonly Method[];
  /** Seconds since 1970. */
  expires_at: number;
  /** Milliseconds since 1970: revocations are told apart within a second. */
  issued_at: number;
  /** 22 characters of URL-safe base64; the second is that of the first token of the chain. */
  audit_ids: readonly string[];
  application_credential_id?: string | undefined;
  trust_id?: string | undefined;
  /** OAuth1. */
  access_token_id?: string | undefined;
  /** Who said who it is, when that was somebody else. */
  identity_provider_id?: string | undefined;
  protocol_id?: string | undefined;
  /** Where the identity provider put them, for as long as the token lives. */
  group_ids?: readonly string[] | undefined;
}

export const METHODS = ['password', 'token', 'application_credential', 'totp', 'oauth1', 'external', 'mapped', 'ec2credential'] as const;
export type Method = (typeof METHODS)[number];

const VERSION = 1;
const SCOPES = ['unscoped', 'project', 'domain', 'system'] as const;
const EXTRA_KEYS = ['application_credential_id', 'trust_id', 'access_token_id', 'identity_provider_id', 'protocol_id'] as const;
/** The tag of each group's id. */
const GROUP = EXTRA_KEYS.length;

/** Layout: version, scope | chained, methods, expires (5), issued (6), audit ids (16 each), user id, scope id, tagged extras. */
export function packToken(token: TokenPayload): Buffer {
  const head = Buffer.alloc(14);
  head[0] = VERSION;
  head[1] = SCOPES.indexOf(token.scope.kind) | (token.audit_ids.length > 1 ? 0x80 : 0);
  head[2] = token.methods.reduce((bits, method) => bits | (1 << METHODS.indexOf(method)), 0);
  head.writeUIntBE(token.expires_at, 3, 5);
  head.writeUIntBE(token.issued_at, 8, 6);
  const parts = [head, ...token.audit_ids.slice(0, 2).map((id) => Buffer.from(id, 'base64url')), packId(token.user_id)];
  if ('id' in token.scope) parts.push(packId(token.scope.id));
  EXTRA_KEYS.forEach((key, tag) => {
    const id = token[key];
    if (id !== undefined) parts.push(Buffer.from([tag]), packId(id));
  });
  for (const id of token.group_ids ?? []) parts.push(Buffer.of(GROUP), packId(id));
  return Buffer.concat(parts);
}

/** Undefined for what is no token of ours. */
export function unpackToken(bytes: Buffer): TokenPayload | undefined {
  const scopeKind = SCOPES[(bytes[1] ?? 0) & 0x0f];
  if (bytes.length < 32 || bytes[0] !== VERSION || scopeKind === undefined) return undefined;
  const bits = bytes[2] as number;
  let at = 14;
  const audit = (): string => bytes.subarray(at, (at += 16)).toString('base64url');
  const audit_ids = ((bytes[1] as number) & 0x80) === 0 ? [audit()] : [audit(), audit()];
  const id = (): string => {
    const size = bytes[at] as number;
    const end = at + 1 + (size === 0 ? 16 : size);
    const text = bytes.toString(size === 0 ? 'hex' : 'utf8', at + 1, end);
    at = end;
    return text;
  };
  const token: TokenPayload = {
    user_id: id(),
    scope: scopeKind === 'project' || scopeKind === 'domain' ? { kind: scopeKind, id: id() } : { kind: scopeKind },
    methods: METHODS.filter((_method, bit) => (bits & (1 << bit)) !== 0),
    expires_at: bytes.readUIntBE(3, 5),
    issued_at: bytes.readUIntBE(8, 6),
    audit_ids,
  };
  while (at < bytes.length) {
    const tag = bytes[at] as number;
    const key = EXTRA_KEYS[tag];
    at += 1;
    if (tag === GROUP) token.group_ids = [...(token.group_ids ?? []), id()];
    else if (key !== undefined) token[key] = id();
    else return undefined;
  }
  return token;
}

/** 32 hex digits as 16 bytes after a 0; anything else as text after its length. */
function packId(id: string): Buffer {
  if (/^[0-9a-f]{32}$/.test(id)) return Buffer.concat([Buffer.of(0), Buffer.from(id, 'hex')]);
  const text = Buffer.from(id, 'utf8');
  if (text.length === 0 || text.length > 255) throw new Error(`the id ${id} does not fit into a token`);
  return Buffer.concat([Buffer.of(text.length), text]);
}

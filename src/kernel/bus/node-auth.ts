import { createHash, timingSafeEqual } from 'node:crypto';
import { isUniqueViolation } from '../db/errors.ts';
import { isUuid } from '../ids.ts';
import { closeCode, PROTOCOL_VERSION, type Hello } from './frames.ts';
import type { Admission, NodeFacts, NodeRow, NodeStore } from './node-store.ts';

export type Refusal = Admission & { verdict: 'refuse' };

const KEY = /^[A-Za-z0-9_-]{43,128}$/;
const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/;
const ADDRESS = /^[0-9a-fA-F.:]{2,45}$/;
const HEADER = /^Gantry-Node ([0-9a-f-]{36}):([A-Za-z0-9_-]{43,128})$/;

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** In the same time for any two texts. */
function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

const refuse = (code: number, reason: string): Refusal => ({ verdict: 'refuse', code, reason });

/** Decides over an agent's first message, and stores the node it lets in. */
export async function admitNode(store: NodeStore, joinToken: () => string, frame: Record<string, unknown>): Promise<Hello | Refusal> {
  const hello = readHello(frame);
  if ('verdict' in hello) return hello;
  try {
    const admission = await store.admit(hello.node_id, hello.hostname, (own, sameName) => decide(hello, joinToken, own, sameName));
    return admission.verdict === 'refuse' ? admission : hello;
  } catch (error) {
    // Two nodes of one name came at the same moment.
    if (isUniqueViolation(error)) return duplicate(hello.hostname);
    throw error;
  }
}

/** The id of the node that an HTTP request comes from (`Authorization: Gantry-Node <id>:<key>`), if it is one of ours. */
export async function readNodeHeader(store: NodeStore, header: string | undefined): Promise<string | undefined> {
  const [, id, key] = HEADER.exec(header ?? '') ?? [];
  if (id === undefined || key === undefined) return undefined;
  const row = await store.find(id);
  return row !== undefined && row.disabled === 0 && sameSecret(row.key_hash, sha256(key)) ? id : undefined;
}

function decide(hello: Hello, joinToken: () => string, own: NodeRow | undefined, sameName: NodeRow | undefined): Admission {
  if (own === undefined) {
    const expected = joinToken();
    if (hello.join_token === undefined) return refuse(closeCode.unknown_node, 'this cloud does not know the node; let it join anew with a token');
    if (expected === '' || !sameSecret(hello.join_token, expected)) return refuse(closeCode.bad_token, 'the join token is not valid');
    if (sameName !== undefined) return duplicate(hello.hostname);
    return { verdict: 'insert', key_hash: sha256(hello.key), facts: factsOf(hello) };
  }
  if (!sameSecret(own.key_hash, sha256(hello.key))) return refuse(closeCode.bad_key, 'the key is not the one of this node');
  if (own.disabled !== 0) return refuse(closeCode.disabled, 'the node is disabled');
  if (sameName !== undefined && sameName.id !== own.id) return duplicate(hello.hostname);
  return { verdict: 'update', facts: factsOf(hello) };
}

function duplicate(hostname: string): Refusal {
  // A close frame holds 123 bytes.
  return refuse(closeCode.duplicate_hostname, `another node is called ${hostname.slice(0, 60)}; remove it or rename this one`);
}

function factsOf({ hostname, roles, tunnel_ip, host_ip }: Hello): NodeFacts {
  return { hostname, roles: JSON.stringify(roles), tunnel_ip, host_ip };
}

function readHello(frame: Record<string, unknown>): Hello | Refusal {
  const { protocol, node_id, key, join_token, hostname, roles, tunnel_ip, host_ip } = frame;
  if (protocol !== PROTOCOL_VERSION) {
    return refuse(closeCode.unsupported_version, `the controller speaks version ${PROTOCOL_VERSION} of the protocol, the agent ${String(protocol).slice(0, 20)}`);
  }
  const malformed = (what: string): Refusal => refuse(closeCode.malformed, `the first message has no valid ${what}`);
  if (typeof node_id !== 'string' || !isUuid(node_id) || node_id !== node_id.toLowerCase()) return malformed('node_id');
  if (typeof key !== 'string' || !KEY.test(key)) return malformed('key');
  if (join_token !== undefined && typeof join_token !== 'string') return malformed('join_token');
  if (typeof hostname !== 'string' || !HOSTNAME.test(hostname)) return malformed('hostname');
  if (!isRoles(roles)) return malformed('roles');
  if (!isAddress(tunnel_ip)) return malformed('tunnel_ip');
  if (!isAddress(host_ip)) return malformed('host_ip');
  return { protocol, node_id, key, hostname, roles, tunnel_ip, host_ip, ...(join_token !== undefined && { join_token }) };
}

function isRoles(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= 16 && value.every((role) => typeof role === 'string' && /^[a-z-]{1,32}$/.test(role));
}

function isAddress(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && ADDRESS.test(value));
}

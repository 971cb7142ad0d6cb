/**
 * Calls to addresses that users name: never to this host, its links or private networks unless an operator allows them,
 * neither at first nor after a redirect; a name is looked up once and the connection goes to what was found then.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { badRequest, type Fault } from '../fault.ts';

export interface OutboundRules {
  /** `http`, `https`. */
  schemes: readonly string[];
  ports: readonly number[];
  /** Names, addresses and networks that may be called although they are private. */
  allowed_hosts: readonly string[];
}

/** All addresses of a name; none when there is no such name. */
export type Resolve = (host: string) => Promise<string[]>;

export const systemResolve: Resolve = async (host) => (await systemLookup(host, { all: true }).catch(() => [])).map(({ address }) => address);

export interface OutboundOptions {
  rules: OutboundRules;
  resolve: Resolve;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

export interface OutboundReply {
  status: number;
  headers: IncomingMessage['headers'];
  body: IncomingMessage;
  /** Where it came from in the end. */
  url: URL;
}

const MAX_REDIRECTS = 5;
/** Without a byte. */
const SILENCE_MS = 60_000;

/** What no tenant has business with: this host, its links, private and special networks (RFC 6890). */
const RESTRICTED = networks([
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16',
  '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
  '::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8',
]);

function networks(list: readonly string[]): BlockList {
  const block = new BlockList();
  for (const text of list) {
    const [address = '', bits] = text.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) continue;
    if (bits === undefined) block.addAddress(address, family);
    else block.addSubnet(address, Number(bits), family);
  }
  return block;
}

/** `::ffff:7f00:1` is 127.0.0.1; BlockList sees through that by itself. */
const holds = (block: BlockList, address: string): boolean => block.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '').toLowerCase();

const refused = (url: URL, why: string): Fault => badRequest('outbound.refused', `The address ${url.origin}${url.pathname} is not allowed: ${why}.`);

/** The addresses that a URL may be fetched from. Faults: 400 */
export async function checkOutbound(url: URL, rules: OutboundRules, resolve: Resolve): Promise<string[]> {
  const scheme = url.protocol.slice(0, -1);
  if (!rules.schemes.includes(scheme)) throw refused(url, `only ${rules.schemes.join(', ')} can be fetched`);
  if (url.username !== '' || url.password !== '') throw badRequest('outbound.refused', 'An address with a user name or password in it is not allowed.');
  const port = url.port === '' ? (scheme === 'http' ? 80 : 443) : Number(url.port);
  if (!rules.ports.includes(port)) throw refused(url, `port ${port} is none of ${rules.ports.join(', ')}`);
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  if (addresses.length === 0) throw refused(url, 'its name does not resolve');
  const allowed = networks(rules.allowed_hosts);
  const named = rules.allowed_hosts.some((name) => name.toLowerCase() === host);
  const bad = named ? undefined : addresses.find((address) => isIP(address) === 0 || (holds(RESTRICTED, address) && !holds(allowed, address)));
  if (bad !== undefined) throw refused(url, 'it leads to this host, its links or a private network');
  return addresses;
}

/** One GET, redirects followed; the body is the caller's to read or destroy. Faults: 400 refused or unreachable */
export async function fetchOutbound(start: URL, options: OutboundOptions): Promise<OutboundReply> {
  let url = start;
  let headers = options.headers ?? {};
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const addresses = await checkOutbound(url, options.rules, options.resolve);
    const answer = await get(url, addresses, headers, options.signal);
    const { location } = answer.headers;
    const status = answer.statusCode ?? 0;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return { status, headers: answer.headers, body: answer, url };
    answer.destroy();
    if (!URL.canParse(location, url.href)) throw refused(url, 'it redirects to what is no address');
    const next = new URL(location, url);
    // What a host was told stays with it.
    if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
    url = next;
  }
  throw refused(start, `it redirects more than ${MAX_REDIRECTS} times`);
}

/** Connects to the addresses found before, whatever the name resolves to now. */
function get(url: URL, addresses: readonly string[], headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_host, asked, done) => (asked.all === true ? done(null, found) : done(null, found[0]!.address, found[0]!.family));
  const options: RequestOptions = { method: 'GET', headers, lookup, agent: false, signal, timeout: SILENCE_MS };
  return new Promise((resolve, reject) => {
    const request: ClientRequest = (url.protocol === 'https:' ? tlsRequest : plainRequest)(url, options, resolve);
    request.on('timeout', () => request.destroy(new Error('nothing came for too long')));
    request.on('error', (cause) => reject(signal.aborted ? cause : badRequest('outbound.unreachable', `The address ${url.origin}${url.pathname} could not be fetched: ${reason(cause)}.`, { cause })));
    request.end();
  });
}

const reason = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.message;

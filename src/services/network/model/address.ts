/** Addresses, prefixes and ranges as numbers; text always in its canonical form (RFC 5952 for IPv6). Pure. */

export type IpVersion = 4 | 6;

export interface Address {
  version: IpVersion;
  value: bigint;
}

export interface Prefix {
  version: IpVersion;
  /** The network's own address. */
  first: bigint;
  last: bigint;
  length: number;
  /** The address as it was written: `10.0.0.5/24` keeps the 5. */
  address: bigint;
}

export interface Range {
  first: bigint;
  last: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;

export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return { version: 4, value };
}

function parseV6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(v6Groups);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const count = head.length + (tail?.length ?? 0);
  if (halves.length === 1 ? count !== 8 : count > 7) return undefined;
  const groups = [...head, ...Array.from({ length: 8 - count }, () => 0), ...(tail ?? [])];
  return { version: 6, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

function v6Groups(half: string): number[] | undefined {
  if (half === '') return [];
  const parts = half.split(':');
  const groups: number[] = [];
  for (const [at, part] of parts.entries()) {
    if (at === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(Number(v4.value >> 16n), Number(v4.value & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

export function formatAddress(value: bigint, version: IpVersion): string {
  return version === 4 ? formatV4(value) : formatV6(value);
}

function formatV4(value: bigint): string {
  const number = Number(value);
  return `${(number >>> 24) & 255}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
}

function formatV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(112 - 16 * at)) & 0xffffn));
  const run = longestZeroRun(groups);
  const text = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(':');
  return run === undefined ? text(0, 8) : `${text(0, run.start)}::${text(run.start + run.length, 8)}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  let start = -1;
  for (let at = 0; at <= groups.length; at++) {
    if (groups[at] === 0) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      if (at - start > Math.max(best?.length ?? 0, 1)) best = { start, length: at - start };
      start = -1;
    }
  }
  return best;
}

/** `10.0.0.0/24`; without a length only when `bare` allows it, then the whole address. */
export function parsePrefix(text: string, bare = false): Prefix | undefined {
  const [addressText, lengthText, ...rest] = text.split('/') as [string, string | undefined];
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0 || (lengthText === undefined && !bare)) return undefined;
  const bits = BITS[address.version];
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined;
  const length = lengthText === undefined ? bits : Number(lengthText);
  if (length > bits) return undefined;
  const size = 1n << BigInt(bits - length);
  const first = (address.value / size) * size;
  return { version: address.version, first, last: first + size - 1n, length, address: address.value };
}

/** The prefix with its host bits cleared. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.first, prefix.version)}/${prefix.length}`;
}

export function contains(prefix: Prefix, address: Address): boolean {
  return prefix.version === address.version && address.value >= prefix.first && address.value <= prefix.last;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}

/** Canonical text of an address, or undefined. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(address.value, address.version);
}

/** Whether a port may have this address on the subnet: in it, and neither its network nor (IPv4) its broadcast address. */
export function isHostAddress(prefix: Prefix, address: Address): boolean {
  if (!contains(prefix, address)) return false;
  if (prefix.version === 4) return address.value !== prefix.first && address.value !== prefix.last;
  return address.value !== prefix.first;
}

export function isMulticast(prefix: Prefix): boolean {
  return prefix.version === 4 ? prefix.first >> 28n === 0xen : prefix.first >> 120n === 0xffn;
}

export function isLoopback(prefix: Prefix): boolean {
  return prefix.version === 4 ? prefix.first >> 24n === 127n : prefix.first === 1n && prefix.length === 128;
}

/** The addresses that ports may be given: all but network, broadcast (IPv4) and gateway. */
export function defaultPools(prefix: Prefix, gateway: bigint | undefined): Range[] {
  if (prefix.first === prefix.last) return [{ first: prefix.first, last: prefix.last }];
  const whole = hostRange(prefix);
  if (gateway === undefined || gateway < whole.first || gateway > whole.last) return [whole];
  const parts = [{ first: whole.first, last: gateway - 1n }, { first: gateway + 1n, last: whole.last }];
  return parts.filter((part) => part.first <= part.last);
}

/** First and last address that an allocation pool may reach. */
export function hostRange(prefix: Prefix): Range {
  if (prefix.version === 6) return { first: prefix.first + 1n, last: prefix.last };
  return prefix.length > 30 ? { first: prefix.first, last: prefix.last } : { first: prefix.first + 1n, last: prefix.last - 1n };
}

/** The modified EUI-64 address that a card of this MAC gives itself in a /64 (RFC 4291, appendix A). */
export function eui64(prefix: Prefix, mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  const id = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!];
  return formatAddress(prefix.first | id.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n), 6);
}

/** Lower case with colons; undefined when it is none. Takes what netaddr takes: `-`, `:`, Cisco's dots, bare hex. */
export function canonicalMac(text: string): string | undefined {
  const groups = /^([0-9a-f]{1,2}([:-])(?:[0-9a-f]{1,2}\2){4}[0-9a-f]{1,2})$/i.test(text) ? text.split(/[:-]/) : undefined;
  if (groups !== undefined) return groups.map((group) => group.padStart(2, '0').toLowerCase()).join(':');
  if (!/^([0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}|[0-9a-f]{12})$/i.test(text)) return undefined;
  return text.replaceAll('.', '').toLowerCase().match(/../g)!.join(':');
}

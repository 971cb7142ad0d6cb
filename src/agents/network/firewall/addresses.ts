import { isIP, isIPv4 } from 'node:net';

/** An address range as numbers, both ends included. */
export interface Range {
  version: 4 | 6;
  first: bigint;
  last: bigint;
  prefix: number;
}

const bitsOf = (version: 4 | 6): number => (version === 4 ? 32 : 128);

function numberOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  const full = expand(address);
  return full.reduce((sum, group) => sum * 65536n + BigInt(group), 0n);
}

function expand(address: string): number[] {
  let text = address;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [, head = '', a, b, c, d] = dotted;
    text = `${head}${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`;
  }
  const [left = '', right] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  if (right === undefined) return groups(left);
  const head = groups(left);
  const tail = groups(right);
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** `10.0.0.0/8`, `::1`: undefined for anything that is not an address or a prefix. */
export function parseRange(text: string): Range | undefined {
  const [address = '', length, ...more] = text.split('/');
  const kind = isIP(address);
  if (kind === 0 || more.length > 0 || address.includes('%')) return undefined;
  const version = kind === 4 ? 4 : 6;
  const bits = bitsOf(version);
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return undefined;
  const size = 1n << BigInt(bits - prefix);
  const first = (numberOf(address) / size) * size;
  return { version, first, last: first + size - 1n, prefix };
}

/** An address as the kernel's tools print it (IPv6 compressed, lower case). */
export function canonical(address: string): string {
  if (isIP(address) !== 6) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function addressText(version: 4 | 6, value: bigint): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 65535n).toString(16));
  return canonical(groups.join(':'));
}

/** `10.0.0.0/8`, a single address without a length, as nft prints it. */
export function rangeText(range: Range): string {
  const address = addressText(range.version, range.first);
  return range.prefix === bitsOf(range.version) ? address : `${address}/${range.prefix}`;
}

/** Prefixes of one family in canonical form and order, without those that another one contains (nft refuses overlaps). */
export function foldPrefixes(texts: Iterable<string>, version: 4 | 6): string[] {
  const ranges = [...texts].map(parseRange).filter((range) => range !== undefined && range.version === version) as Range[];
  ranges.sort((a, b) => (a.first === b.first ? a.prefix - b.prefix : a.first < b.first ? -1 : 1));
  const kept: Range[] = [];
  for (const range of ranges) {
    const last = kept.at(-1);
    if (last === undefined || range.first > last.last) kept.push(range);
  }
  return kept.map(rangeText);
}

/** Number ranges merged where they touch or overlap, in order. */
export function foldPorts(ranges: [number, number][]): string[] {
  const sorted = ranges.map(([first, last]): [number, number] => [first, last]).sort((a, b) => a[0] - b[0]);
  const kept: [number, number][] = [];
  for (const range of sorted) {
    const last = kept.at(-1);
    if (last !== undefined && range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]);
    else kept.push(range);
  }
  return kept.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
}

/** The link-local address that a MAC gives by EUI-64: `fa:16:3e:00:00:01` → `fe80::f816:3eff:fe00:1`. */
export function linkLocal(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((octet) => Number.parseInt(octet, 16));
  const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
  return canonical(`fe80:0:0:0:${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`);
}

/** A 128-bit number for nft's raw payload matches. */
export function hexOf(address: string): string {
  return `0x${numberOf(address).toString(16).padStart(32, '0')}`;
}

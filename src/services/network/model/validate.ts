/** The checks of neutron_lib.api.validators and converters, in its words. Each returns the value as it is kept. */
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import { canonicalAddress, canonicalMac, formatPrefix, isLoopback, parseAddress, parsePrefix } from './address.ts';
import { addressPairNeedsIp, addressPairsExhausted, duplicateAddressPair, invalidAttribute, invalidInput, plainBadRequest } from '../faults.ts';

/** Reads one attribute of a request. Faults: 400 in neutron's words. */
export type Parse<T = unknown> = (value: unknown, attribute: string) => T;

/** As Python prints it in a message. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'object') return python(value);
  return String(value);
}

function python(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{${Object.entries(value).map(([key, one]) => `'${key}': ${python(one)}`).join(', ')}}`;
  return show(value);
}

const fail = (attribute: string, reason: string): never => {
  throw invalidAttribute(attribute, reason);
};

export const string = (max?: number): Parse<string> => (value, attribute) => {
  if (typeof value !== 'string') return fail(attribute, `'${show(value)}' is not a valid string`);
  if (max !== undefined && [...value].length > max) return fail(attribute, `'${value}' exceeds maximum length of ${max}`);
  return value;
};

/** Printable, without spaces at its ends. */
export const nameString = (max = 255): Parse<string> => (value, attribute) => {
  const text = string(max)(value, attribute);
  if (/[\p{C}\p{Zl}\p{Zp}]|^\p{Z}|\p{Z}$/u.test(text)) return fail(attribute, `'${text}' is not a valid string`);
  return text;
};

export const boolean: Parse<boolean> = (value) => {
  if (typeof value === 'boolean') return value;
  const read = typeof value === 'string' || typeof value === 'number' ? booleanFrom(String(value)) : undefined;
  if (read === undefined) throw invalidInput(`'${show(value)}' cannot be converted to boolean`);
  return read;
};

export const integer: Parse<number> = (value) => {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value)) return Number(value);
  throw invalidInput(`'${show(value)}' is not an integer`);
};

export const range = (low: number, high: number): Parse<number> => (value, attribute) => {
  const number = integer(value, attribute);
  if (number < low) return fail(attribute, `'${number}' is too small - must be at least '${low}'`);
  if (number > high) return fail(attribute, `'${number}' is too large - must be no larger than '${high}'`);
  return number;
};

export const values = <const T extends readonly (string | number)[]>(...allowed: T): Parse<T[number]> => (value, attribute) => {
  if (!allowed.includes(value as string)) return fail(attribute, `${show(value)} is not in ${python(allowed)}`);
  return value as T[number];
};

export const orNull = <T>(parse: Parse<T>): Parse<T | null> => (value, attribute) => (value === null ? null : parse(value, attribute));

export const noneAsEmptyList = <T>(parse: Parse<T[]>): Parse<T[]> => (value, attribute) => (value === null ? [] : parse(value, attribute));

export const uuid: Parse<string> = (value, attribute) => {
  if (typeof value !== 'string' || !isUuidLike(value)) return fail(attribute, `'${show(value)}' is not a valid UUID`);
  return value;
};

export const uuidList: Parse<string[]> = (value, attribute) => list(value, attribute, (one) => uuid(one, attribute));

function list<T>(value: unknown, attribute: string, each: (one: unknown) => T): T[] {
  if (!Array.isArray(value)) return fail(attribute, `'${show(value)}' is not a list`);
  const twice = value.filter((one, at) => value.findIndex((other) => same(other, one)) < at);
  if (twice.length > 0) return fail(attribute, `Duplicate items in the list: '${twice.map(show).join(', ')}'`);
  return value.map(each);
}

const same = (a: unknown, b: unknown): boolean => a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));

export const uniqueStrings = (max: number): Parse<string[]> => (value, attribute) => list(value, attribute, (one) => string(max)(one, attribute));

/** Why it is no address, or its canonical text. */
function address(value: unknown): { reason: string } | { text: string } {
  if (typeof value !== 'string' || /\s/.test(value)) return { reason: `'${show(value)}' is not a valid IP address` };
  const text = canonicalAddress(value);
  if (text !== undefined) return { text };
  const trimmed = /^\d{1,3}(\.\d{1,3}){3}$/.test(value) ? value.split('.').map(Number).join('.') : '';
  if (parseAddress(trimmed) !== undefined) return { reason: `'${value}' is not an accepted IP address, '${trimmed}' is recommended` };
  return { reason: `'${value}' is not a valid IP address` };
}

export const ipAddress: Parse<string> = (value, attribute) => {
  const read = address(value);
  return 'text' in read ? read.text : fail(attribute, read.reason);
};

/** A subnet's CIDR, host bits cleared. */
export const cidr: Parse<string> = (value, attribute) => {
  if (value === null) throw invalidInput('None is not in a CIDR format');
  const prefix = typeof value === 'string' ? parsePrefix(value, true) : undefined;
  if (prefix === undefined) throw invalidInput(`${show(value)} is not in a CIDR format`);
  if (!(value as string).includes('/')) return fail(attribute, `'${show(value)}' is not a valid IP subnet`);
  return formatPrefix(prefix);
};

export const macAddress: Parse<string> = (value, attribute) => {
  const mac = typeof value === 'string' ? canonicalMac(value) : undefined;
  const group = mac !== undefined && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  if (mac === undefined || group || mac === '00:00:00:00:00:00') return fail(attribute, `'${show(value)}' is not a valid MAC address`);
  return mac;
};

function exactKeys(value: unknown, attribute: string, keys: readonly string[]): Record<string, unknown> {
  const wanted = python(keys);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail(attribute, `Invalid input. '${show(value)}' must be a dictionary with keys: ${wanted}`);
  }
  const given = Object.keys(value);
  if (given.length !== keys.length || !keys.every((key) => given.includes(key))) {
    return fail(attribute, `Validation of dictionary's keys failed. Expected keys: ${wanted} Provided keys: ${python(given)}`);
  }
  return value as Record<string, unknown>;
}

export interface Pool {
  start: string;
  end: string;
}

export const pools: Parse<Pool[]> = (value, attribute) => {
  if (!Array.isArray(value)) return fail(attribute, `Invalid data format for IP pool: '${show(value)}'`);
  return value.map((one) => {
    const pool = exactKeys(one, attribute, ['start', 'end']);
    return { start: ipAddress(pool['start'], attribute), end: ipAddress(pool['end'], attribute) };
  });
};

export const nameservers: Parse<string[]> = (value, attribute) => {
  if (!Array.isArray(value)) return fail(attribute, `Invalid data format for nameserver: '${show(value)}'`);
  const seen = new Set<unknown>();
  return value.map((host) => {
    const read = address(host);
    if ('reason' in read) return fail(attribute, `'${show(host)}' is not a valid nameserver. ${read.reason}`);
    if (seen.has(host)) return fail(attribute, `Duplicate nameserver '${show(host)}'`);
    seen.add(host);
    return read.text;
  });
};

export interface HostRoute {
  destination: string;
  nexthop: string;
}

export const hostRoutes: Parse<HostRoute[]> = (value, attribute) => {
  if (!Array.isArray(value)) return fail(attribute, `Invalid data format for hostroute: '${show(value)}'`);
  const seen: unknown[] = [];
  return value.map((one) => {
    const route = exactKeys(one, attribute, ['destination', 'nexthop']);
    const destination = routeCidr(route['destination'], attribute);
    const nexthop = ipAddress(route['nexthop'], attribute);
    if (seen.some((other) => same(other, one))) return fail(attribute, `Duplicate hostroute '${show(one)}'`);
    seen.push(one);
    return { destination, nexthop };
  });
};

function routeCidr(value: unknown, attribute: string): string {
  const prefix = typeof value === 'string' ? parsePrefix(value) : undefined;
  if (prefix === undefined || prefix.address !== prefix.first) return fail(attribute, `'${show(value)}' is not a valid CIDR`);
  if (isLoopback(prefix)) return fail(attribute, `'${show(value)}' is not a routable CIDR`);
  return formatPrefix(prefix);
}

export interface RequestedIp {
  subnet_id?: string;
  ip_address?: string;
}

export const fixedIps: Parse<RequestedIp[]> = (value, attribute) => {
  if (!Array.isArray(value)) return fail(attribute, `Invalid data format for fixed IP: '${show(value)}'`);
  const seen = new Set<string>();
  return value.map((one: unknown) => {
    if (typeof one !== 'object' || one === null || Array.isArray(one)) return fail(attribute, `Invalid data format for fixed IP: '${show(one)}'`);
    const out: RequestedIp = {};
    const { ip_address, subnet_id } = one as Record<string, unknown>;
    if (ip_address !== undefined) {
      out.ip_address = ipAddress(ip_address, attribute);
      if (seen.has(out.ip_address)) return fail(attribute, `Duplicate IP address '${show(ip_address)}'`);
      seen.add(out.ip_address);
    }
    if (subnet_id !== undefined) out.subnet_id = uuid(subnet_id, attribute);
    return out;
  });
};

export interface AddressPair {
  ip_address: string;
  mac_address?: string;
}

export const MAX_ADDRESS_PAIRS = 10;

export const addressPairs: Parse<AddressPair[]> = (value) => {
  if (!Array.isArray(value)) throw plainBadRequest('Allowed address pairs must be a list.');
  if (value.length > MAX_ADDRESS_PAIRS) throw addressPairsExhausted(MAX_ADDRESS_PAIRS);
  const seen = new Set<string>();
  return value.map((one: unknown) => {
    const pair = addressPair(one);
    const key = `${pair.mac_address ?? ''} ${pair.ip_address}`;
    if (seen.has(key)) throw duplicateAddressPair(pair.mac_address, pair.ip_address);
    seen.add(key);
    return pair;
  });
};

function addressPair(one: unknown): AddressPair {
  if (typeof one !== 'object' || one === null || Array.isArray(one)) throw invalidAttribute('allowed_address_pairs', `'${show(one)}' is not a dictionary`);
  const { mac_address, ip_address, ...rest } = one as Record<string, unknown>;
  const mac = typeof mac_address === 'string' ? canonicalMac(mac_address) : undefined;
  if (mac_address !== undefined && mac_address !== null && mac === undefined) throw plainBadRequest(`'${show(mac_address)}' is not a valid MAC address`);
  if (ip_address === undefined) throw addressPairNeedsIp();
  const unknown = Object.keys(rest);
  if (unknown.length > 0) throw plainBadRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  return { ip_address: pairAddress(ip_address), ...(mac === undefined ? {} : { mac_address: mac }) };
}

function pairAddress(value: unknown): string {
  if (typeof value !== 'string') throw plainBadRequest(`'${show(value)}' is not a valid IP address`);
  if (value.includes('/')) {
    const prefix = parsePrefix(value);
    if (prefix === undefined) throw plainBadRequest(`'${value}' is not a valid IP subnet`);
    return formatPrefix(prefix);
  }
  const read = address(value);
  if ('reason' in read) throw plainBadRequest(read.reason);
  return read.text;
}

export interface DhcpOption {
  opt_name: string;
  opt_value: string | null;
  ip_version: 4 | 6;
}

export const dhcpOptions: Parse<DhcpOption[]> = (value, attribute) => {
  if (value === null) return [];
  return list(value, attribute, (one) => {
    const { opt_name, opt_value, ip_version = 4, ...rest } = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>;
    const version = typeof ip_version === 'string' ? Number(ip_version) : ip_version;
    const named = typeof opt_name === 'string' && opt_name.trim() !== '' && opt_name.length <= 64;
    const valued = opt_value === null || (typeof opt_value === 'string' && opt_value.length <= 255);
    if (!named || !valued || (version !== 4 && version !== 6) || Object.keys(rest).length > 0) {
      throw invalidInput(`No valid key specs matched for: ${show(one)}`);
    }
    return { opt_name, opt_value: opt_value as string | null, ip_version: version };
  });
};

export const dictionaryOrNone: Parse<Record<string, unknown>> = (value, attribute) => {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) return fail(attribute, `'${show(value)}' is not a dictionary`);
  return value as Record<string, unknown>;
};

/** SHA-512 crypt, what `/etc/shadow` of every Linux understands: a node and the database only ever hold the hash. */
import { createHash, randomBytes } from 'node:crypto';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** What the format means when it names no number. */
const USUAL_ROUNDS = 5000;
/** The format's least: enough for a password that was drawn by lot. */
const FEW_ROUNDS = 1000;

/** @param drawn its letters were drawn by lot, so that it need not be made dear to guess. */
export function hashPassword(password: string, { drawn = false }: { drawn?: boolean } = {}): string {
  const salt = [...randomBytes(16)].map((byte) => ALPHABET[byte & 63]).join('');
  return sha512Crypt(password, salt, drawn ? FEW_ROUNDS : USUAL_ROUNDS);
}

/** Pure. @param salt at most 16 letters */
export function sha512Crypt(password: string, salt: string, rounds = USUAL_ROUNDS): string {
  const key = Buffer.from(password);
  const salted = Buffer.from(salt.slice(0, 16));
  const first = firstDigest(key, salted);
  const p = repeat(digest(...Array.from({ length: key.length }, () => key)), key.length);
  const s = repeat(digest(...Array.from({ length: 16 + first[0]! }, () => salted)), salted.length);
  let last = first;
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    last = digest(odd ? p : last, ...(round % 3 === 0 ? [] : [s]), ...(round % 7 === 0 ? [] : [p]), odd ? last : p);
  }
  const named = rounds === USUAL_ROUNDS ? '' : `rounds=${rounds}$`;
  return `$6$${named}${salted.toString()}$${encode(last)}`;
}

function firstDigest(key: Buffer, salt: Buffer): Buffer {
  const inner = digest(key, salt, key);
  const parts = [key, salt, repeat(inner, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? inner : key);
  return digest(...parts);
}

function digest(...parts: Buffer[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** As many bytes as asked for, over and over the same. */
function repeat(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** Three bytes a time, 21 apart, each group one place further; the last byte alone. */
function encode(bytes: Buffer): string {
  let out = '';
  for (let group = 0; group < 21; group++) {
    const [a, b, c] = [0, 1, 2].map((place) => bytes[group + 21 * ((place + group) % 3)]!) as [number, number, number];
    out += letters((a << 16) | (b << 8) | c, 4);
  }
  return out + letters(bytes[63]!, 2);
}

function letters(value: number, count: number): string {
  return Array.from({ length: count }, (_, at) => ALPHABET[(value >> (6 * at)) & 63]).join('');
}

/** One-time passcodes by the clock (RFC 6238): six digits, SHA-1, thirty seconds. */
import { createHmac, timingSafeEqual } from 'node:crypto';

const PERIOD = 30;
const DIGITS = 6;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** @returns undefined for what is no Base32 */
export function decodeBase32(text: string): Buffer | undefined {
  const letters = text.trim().replace(/=+$/, '').toUpperCase();
  const bytes: number[] = [];
  let value = 0;
  let bits = 0;
  for (const letter of letters) {
    const five = ALPHABET.indexOf(letter);
    if (five < 0) return undefined;
    value = ((value << 5) | five) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return bytes.length === 0 ? undefined : Buffer.from(bytes);
}

export function passcode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac('sha1', secret).update(counter).digest();
  const at = (hash[hash.length - 1] as number) & 0x0f;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 10 ** DIGITS).padStart(DIGITS, '0');
}

export function stepAt(now: Date): number {
  return Math.floor(now.getTime() / 1000 / PERIOD);
}

/** The latest interval of which this is the passcode, or undefined. @param late how many intervals it may be behind */
export function stepOf(secret: Buffer, code: string, now: Date, late: number): number | undefined {
  const given = Buffer.from(code, 'utf8');
  let found: number | undefined;
  for (let step = stepAt(now); step >= stepAt(now) - late; step -= 1) {
    const wanted = Buffer.from(passcode(secret, step), 'utf8');
    if (given.length === wanted.length && timingSafeEqual(given, wanted)) found ??= step;
  }
  return found;
}

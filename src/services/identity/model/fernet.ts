/** Fernet, https://github.com/fernet/spec: version 0x80, seconds, IV, AES-128-CBC, HMAC-SHA256; URL-safe base64. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const VERSION = 0x80;
const HEADER = 1 + 8 + 16;
const SIGNATURE = 32;

export interface FernetKey {
  readonly signing: Buffer;
  readonly encryption: Buffer;
}

/** @param text 32 bytes in URL-safe base64. */
export function parseFernetKey(text: string): FernetKey {
  const bytes = Buffer.from(text.trim(), 'base64url');
  if (bytes.length !== 32) throw new Error('a Fernet key has 32 bytes in URL-safe base64');
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}

/** A new key, padded as other programs that read the same files want it. */
export function generateFernetKey(): string {
  return randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** @param seconds since 1970; @returns unpadded, as keystone shows its tokens. */
export function encrypt(key: FernetKey, payload: Buffer, seconds: number, iv: Buffer = randomBytes(16)): string {
  const header = Buffer.allocUnsafe(HEADER);
  header[0] = VERSION;
  header.writeBigUInt64BE(BigInt(seconds), 1);
  iv.copy(header, 9);
  const cipher = createCipheriv('aes-128-cbc', key.encryption, iv);
  const body = Buffer.concat([header, cipher.update(payload), cipher.final()]);
  return Buffer.concat([body, sign(key, body)]).toString('base64url');
}

function sign(key: FernetKey, body: Buffer): Buffer {
  return createHmac('sha256', key.signing).update(body).digest();
}

/** The payload, or undefined when none of the keys made this text. */
export function decrypt(keys: readonly FernetKey[], text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < HEADER + 16 + SIGNATURE || bytes[0] !== VERSION || (bytes.length - HEADER - SIGNATURE) % 16 !== 0) return undefined;
  const body = bytes.subarray(0, -SIGNATURE);
  const signature = bytes.subarray(-SIGNATURE);
  const key = keys.find((one) => timingSafeEqual(sign(one, body), signature));
  if (key === undefined) return undefined;
  const decipher = createDecipheriv('aes-128-cbc', key.encryption, body.subarray(9, HEADER));
  try {
    return Buffer.concat([decipher.update(body.subarray(HEADER)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Passwords and other secrets that people hand in: scrypt, off the event loop. */
import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';

const R = 8;
const P = 1;
const LENGTH = 32;

/** `$scrypt$ln=13,r=8,p=1$<salt>$<hash>`. */
export async function hashSecret(secret: string, cost: number): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(secret, salt, LENGTH, cost, R, P);
  return `$scrypt$ln=${cost},r=${R},p=${P}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

const FORMAT = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w-]+)\$([\w-]+)$/;

/** Takes as long whether or not there is a hash to compare with, so that time does not tell which users exist. */
export async function verifySecret(secret: string, hash: string | null | undefined, cost: number): Promise<boolean> {
  const [, ln, r, p, salt, wanted] = FORMAT.exec(hash ?? '') ?? [];
  if (ln === undefined || salt === undefined || wanted === undefined) {
    await derive(secret, Buffer.alloc(16), LENGTH, cost, R, P);
    return false;
  }
  const expected = Buffer.from(wanted, 'base64url');
  const found = await derive(secret, Buffer.from(salt, 'base64url'), expected.length, Number(ln), Number(r), Number(p));
  return timingSafeEqual(found, expected);
}

function derive(secret: string, salt: Buffer, length: number, cost: number, r: number, p: number): Promise<Buffer> {
  const N = 2 ** cost;
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

/** What `[identity] password_regex` asks of a password from its start on; throws when that is no regular expression. */
export function passwordPattern(source: string): RegExp | undefined {
  if (source === '') return undefined;
  try {
    return new RegExp(`^(?:${source})`, 'u');
  } catch (cause) {
    throw new Error(`[identity] password_regex = "${source}" is no regular expression`, { cause });
  }
}

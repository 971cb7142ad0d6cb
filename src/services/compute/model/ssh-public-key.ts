/** Reading OpenSSH's one-line public keys (RFC 4253, 5656, 8709). */
import { createHash } from 'node:crypto';

/** How many strings follow the name of the algorithm in a key's blob. */
const PARTS: Record<string, number> = {
  'ssh-rsa': 2,
  'ssh-dss': 4,
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
};

/** The bytes of a public key line; undefined when it is none. */
export function sshKeyBlob(line: string): Buffer | undefined {
  const [, type, text] = /^(\S+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]|\r?\n|$)/.exec(line) ?? [];
  const parts = type === undefined ? undefined : PARTS[type];
  if (text === undefined || parts === undefined) return undefined;
  const blob = Buffer.from(text, 'base64');
  if (blob.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) return undefined;
  const strings = readStrings(blob);
  const whole = strings?.length === parts + 1 && strings[0]?.toString('latin1') === type && strings.every(({ length }) => length > 0);
  return whole ? blob : undefined;
}

/** Length-prefixed strings that fill a buffer exactly. */
function readStrings(blob: Buffer): Buffer[] | undefined {
  const out: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    out.push(blob.subarray(at + 4, end));
    at = end;
  }
  return out;
}

const colons = (hex: string): string => hex.replaceAll(/(..)(?!$)/g, '$1:');

/** MD5 in pairs of digits, as `ssh-keygen -E md5` has it without its prefix; undefined for what is no key. */
export function sshFingerprint(line: string): string | undefined {
  const blob = sshKeyBlob(line);
  return blob === undefined ? undefined : colons(createHash('md5').update(blob).digest('hex'));
}

/** `ssh-rsa AAAA… comment` of an RSA key's modulus and exponent (big-endian). */
export function sshRsaLine(modulus: Buffer, exponent: Buffer, comment: string): string {
  const blob = Buffer.concat([string(Buffer.from('ssh-rsa')), string(positive(exponent)), string(positive(modulus))]);
  return `ssh-rsa ${blob.toString('base64')} ${comment}`;
}

function string(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A multiple-precision integer whose first bit is set needs a zero before it. */
const positive = (bytes: Buffer): Buffer => ((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);

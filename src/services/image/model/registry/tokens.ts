/** What a client of the registry is given for its login: encrypted, short-lived, and good for what it names only. */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Scope } from './names.ts';

export interface RegistryTicket {
  /** Tokens of identity, one per project; none for somebody who did not log in. */
  tokens: string[];
  access: Scope[];
  /** Milliseconds. */
  expires_at: number;
}

export interface TicketBox {
  seal(ticket: RegistryTicket): string;
  /** Undefined: not one of ours, or too old. */
  open(text: string, now: number): RegistryTicket | undefined;
}

const CIPHER = 'aes-256-gcm';
const IV = 12;
const TAG = 16;
const LONGEST = 16_384;

/** @param file holds the key; made when missing. Controllers of one cloud share it. */
export function createTicketBox(file: string): TicketBox {
  const key = readKey(file);
  return {
    seal(ticket) {
      const iv = randomBytes(IV);
      const cipher = createCipheriv(CIPHER, key, iv);
      const body = Buffer.concat([cipher.update(JSON.stringify(ticket), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(text, now) {
      if (text.length > LONGEST) return undefined;
      const ticket = decrypt(key, Buffer.from(text, 'base64url'));
      return ticket === undefined || ticket.expires_at <= now ? undefined : ticket;
    },
  };
}

function decrypt(key: Buffer, bytes: Buffer): RegistryTicket | undefined {
  if (bytes.length <= IV + TAG) return undefined;
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV), { authTagLength: TAG });
    decipher.setAuthTag(bytes.subarray(IV, IV + TAG));
    return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(IV + TAG)), decipher.final()]).toString('utf8')) as RegistryTicket;
  } catch {
    return undefined;
  }
}

function readKey(file: string): Buffer {
  if (!existsSync(file)) makeKey(file);
  const key = Buffer.from(readFileSync(file, 'utf8'), 'base64');
  if (key.length !== 32) throw new Error(`${file} holds no key of 32 bytes`);
  return key;
}

/** Whole or not at all; of several controllers that make one at once the first wins. */
function makeKey(file: string): void {
  const draft = `${file}.${randomUUID()}`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(draft, randomBytes(32).toString('base64'), { mode: 0o600, flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
}

import { randomBytes, randomUUID } from 'node:crypto';

/** A UUID with dashes: nova, neutron, glance, cinder. */
export function uuid(): string {
  return randomUUID();
}

/** 32 hex digits without dashes: keystone. */
export function hexId(): string {
  return randomUUID().replaceAll('-', '');
}

export function requestId(): string {
  return `req-${randomUUID()}`;
}

/** A password a person can copy: 20 characters, no look-alikes. */
export function password(length = 20): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  const limit = 256 - (256 % alphabet.length);
  let out = '';
  while (out.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < limit && out.length < length) out += alphabet[byte % alphabet.length];
    }
  }
  return out;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const UUID_LIKE = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** With or without dashes, as oslo.utils `is_uuid_like`. */
export function isUuidLike(text: string): boolean {
  return UUID_LIKE.test(text);
}

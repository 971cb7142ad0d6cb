/** What else a guest is made with, as the rows of a boot keep it. */
import type { GuestOptions, PasswordHash } from '../../../agents/compute/protocol.ts';
import type { ServerBootRow } from '../store/tables.ts';
import type { BootImage } from './image-checks.ts';
import { hashPassword } from './crypt-password.ts';

export interface GuestSettings {
  options?: GuestOptions;
  /** Set at its first start. */
  passwords?: PasswordHash[];
}

export const settingsOf = (boot: Pick<ServerBootRow, 'guest_json'>): GuestSettings => JSON.parse(boot.guest_json) as GuestSettings;

/** Whose password the administrator's is: root's, and that of the user who logs in. */
export function passwordUsers(image: Pick<BootImage, 'system' | 'admin_user'>): string[] {
  return [...new Set(['root', image.system?.user.name ?? 'root', ...(image.admin_user === undefined ? [] : [image.admin_user])])];
}

/** @param drawn by lot, and not by a person. */
export function passwordsFor(image: Pick<BootImage, 'system' | 'admin_user'>, password: string, drawn: boolean): PasswordHash[] {
  const hash = hashPassword(password, { drawn });
  return passwordUsers(image).map((user) => ({ user, hash }));
}

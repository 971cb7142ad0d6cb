/** Secrets of users: EC2 keys, TOTP seeds, certificates. Encrypted where they are kept. */
import { createHash } from 'node:crypto';
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { noSuch, taken } from '../faults.ts';
import { deleteCredential as removeCredential, findCredential, insertCredential, updateCredential as writeCredential } from '../store/credentials.ts';
import { findProject } from '../store/projects.ts';
import type { CredentialRow } from '../store/tables.ts';
import { findUser } from '../store/users.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity } from './identity.ts';

export interface CredentialInput extends Fields {
  type: string;
  blob: string | object;
  user_id: string;
  project_id?: string | null;
}

const KNOWN = ['id', 'type', 'blob', 'user_id', 'project_id', 'links'];

/** @returns the row with its blob readable. */
export async function createCredential(identity: Identity, input: CredentialInput): Promise<CredentialRow> {
  const blob = typeof input.blob === 'string' ? input.blob : JSON.stringify(input.blob);
  if (input.type === 'ec2' && typeof input.project_id !== 'string') throw badRequest('identity.ec2-without-project', "Invalid input for field 'project_id': credentials of type ec2 need one");
  const row: CredentialRow = {
    id: input.type === 'ec2' ? accessId(accessOf(blob)) : hexId(), type: input.type, blob, user_id: input.user_id, project_id: input.project_id ?? null, extra: extraOf(input, KNOWN),
  };
  await change(identity, async (tx) => {
    if ((await findUser(tx, row.user_id)) === undefined) throw noSuch('user', row.user_id);
    if (row.project_id !== null && (await findProject(tx, row.project_id)) === undefined) throw noSuch('project', row.project_id);
    try {
      await insertCredential(tx, { ...row, blob: seal(identity, blob) });
    } catch (error) {
      if (isUniqueViolation(error)) throw taken('credential', `Duplicate entry found with ID ${row.id}`);
      throw error;
    }
  });
  return row;
}

/** How credentials of an access key are found. */
export function accessId(access: string): string {
  return createHash('sha256').update(access).digest('hex');
}

function accessOf(blob: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(blob);
  } catch (cause) {
    throw badRequest('identity.blob-invalid', 'Invalid blob in credential', { cause });
  }
  const access = (parsed as { access?: unknown } | null)?.access;
  if (typeof access !== 'string') throw badRequest('identity.blob-invalid', 'Expecting to find access in credential. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.');
  return access;
}

function seal(identity: Identity, blob: string): string {
  return identity.credential_keys.encrypt(Buffer.from(blob, 'utf8'), Math.floor(identity.clock.now().getTime() / 1000));
}

export function openCredential(identity: Identity, row: CredentialRow): CredentialRow {
  const blob = identity.credential_keys.decrypt(row.blob);
  if (blob === undefined) throw new Error(`credential ${row.id} was encrypted with a key that is not here`);
  return { ...row, blob: blob.toString('utf8') };
}

/** Only the secret itself may change: whose it is and where it counts stays. */
export async function updateCredential(identity: Identity, id: string, blob: string | object): Promise<CredentialRow> {
  const text = typeof blob === 'string' ? blob : JSON.stringify(blob);
  return await change(identity, async (tx) => {
    const row = await findCredential(tx, id);
    if (row === undefined) throw noSuch('credential', id);
    if (row.type === 'ec2') accessOf(text);
    await writeCredential(tx, id, { blob: seal(identity, text) });
    return { ...row, blob: text };
  });
}

export async function deleteCredential(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx) => {
    if ((await findCredential(tx, id)) === undefined) throw noSuch('credential', id);
    await removeCredential(tx, id);
  });
}

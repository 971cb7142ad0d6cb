/** Secrets of users: EC2 keys, TOTP seeds, certificates. Encrypted where they are kept. */
import { createHash } from 'node:crypto';
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { invalidField, missing, noSuch, notAllowed, taken } from '../faults.ts';
import { countCredentials, deleteCredential as removeCredential, findCredential, insertCredential, updateCredential as writeCredential } from '../store/credentials.ts';
import { findProject } from '../store/projects.ts';
import type { CredentialRow } from '../store/tables.ts';
import { findUser } from '../store/users.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { seal, unseal } from './secrets.ts';

export interface CredentialInput extends Fields {
  type: string;
  blob: string | object;
  user_id: string;
  project_id?: string | null;
}

const KNOWN = ['id', 'type', 'blob', 'user_id', 'project_id', 'links'];

/** Fields of EC2 keys that name the delegation they were made by. */
const ORIGIN = ['trust_id', 'app_cred_id', 'access_token_id'] as const;

/** By what the caller acts for a user, if not by the user's own password. */
export interface Delegation {
  trust_id?: string | undefined;
  application_credential_id?: string | undefined;
  access_token_id?: string | undefined;
}

const originOf = ({ trust_id, application_credential_id: app_cred_id, access_token_id }: Delegation): Fields => ({ trust_id, app_cred_id, access_token_id });

/** What was made by a delegation gives no more than it: EC2 keys say where they come from, and nobody else says it. Faults: 400. */
function ec2Blob(fields: Fields, by: Delegation): string {
  const origin = originOf(by);
  for (const key of ORIGIN) if ((fields[key] ?? null) !== null && fields[key] !== origin[key]) throw badRequest('identity.credential-origin', `${key} of a credential is that of the token by which it is made`);
  return JSON.stringify({ ...fields, ...Object.fromEntries(Object.entries(origin).filter(([, id]) => id !== undefined)) });
}

/** @returns the row with its blob readable. Faults: 400, 403 beyond the number a user may have, 404, 409. */
export async function createCredential(identity: Identity, input: CredentialInput, by: Delegation): Promise<CredentialRow> {
  const ec2 = input.type.toLowerCase() === 'ec2';
  if (ec2 && typeof input.project_id !== 'string') throw badRequest('identity.ec2-without-project', "Invalid input for field 'project_id': credentials of type ec2 need one");
  const given = typeof input.blob === 'string' ? input.blob : JSON.stringify(input.blob);
  const fields = ec2 ? ec2Fields(given) : undefined;
  const blob = fields === undefined ? given : ec2Blob(fields, by);
  const sealed = seal(identity, blob);
  const row: CredentialRow = {
    id: fields === undefined ? hexId() : accessId(fields.access), type: input.type, blob: sealed.text, user_id: input.user_id, project_id: input.project_id ?? null, extra: extraOf(input, KNOWN), key_hash: sealed.key_hash,
  };
  await change(identity, async (tx) => {
    if ((await findUser(tx, row.user_id)) === undefined) throw noSuch('user', row.user_id);
    if (row.project_id !== null && (await findProject(tx, row.project_id)) === undefined) throw noSuch('project', row.project_id);
    await assertRoom(identity, tx, row.user_id);
    try {
      await insertCredential(tx, row);
    } catch (error) {
      if (isUniqueViolation(error)) throw taken('credential', `Duplicate entry found with ID ${row.id}`);
      throw error;
    }
  });
  return { ...row, blob };
}

async function assertRoom(identity: Identity, tx: Tx, user_id: string): Promise<void> {
  const limit = identity.config.max_credentials;
  if ((await countCredentials(tx, user_id)) >= limit) throw notAllowed('too-many-credentials', `Unable to create additional credentials, maximum of ${limit} already exceeded for user.`);
}

/** How credentials of an access key are found. */
export function accessId(access: string): string {
  return createHash('sha256').update(access).digest('hex');
}

interface Ec2Fields extends Fields {
  access: string;
}

function ec2Fields(blob: string): Ec2Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(blob);
  } catch (cause) {
    throw badRequest('identity.blob-invalid', 'Invalid blob in credential', { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw missing('blob', 'credential');
  if (typeof (parsed as Fields)['access'] !== 'string') throw missing('access', 'credential');
  return parsed as Ec2Fields;
}

/** The row as it is to be shown. */
export function openCredential(identity: Identity, row: CredentialRow): CredentialRow {
  return { ...row, blob: unseal(identity, row.blob, `credential ${row.id}`) };
}

/** Whether who acts by this may know or change the secret: by EC2 keys that it did not make, a delegation would get more than it gives. */
export function isWithin(row: CredentialRow, by: Delegation): boolean {
  if (row.type.toLowerCase() !== 'ec2') return true;
  const fields = ec2Fields(row.blob);
  const origin = originOf(by);
  const delegated = ORIGIN.some((key) => origin[key] !== undefined);
  return !delegated || ORIGIN.every((key) => (fields[key] ?? null) === (origin[key] ?? null));
}

/** Clients send what they know along. */
export type CredentialUpdate = Partial<Pick<CredentialRow, 'type' | 'user_id' | 'project_id'>> & { blob?: string | object };

/** Only the secret itself may change: whose it is, where it counts and what it was delegated by stays. */
export async function updateCredential(identity: Identity, id: string, input: CredentialUpdate): Promise<CredentialRow> {
  return await change(identity, async (tx) => {
    const row = await findCredential(tx, id);
    if (row === undefined) throw noSuch('credential', id);
    for (const field of ['type', 'user_id', 'project_id'] as const) {
      if (input[field] !== undefined && input[field] !== row[field]) throw invalidField(`credential/${field}`, 'only the blob of a credential can be changed');
    }
    if (input.blob === undefined) return openCredential(identity, row);
    const text = typeof input.blob === 'string' ? input.blob : JSON.stringify(input.blob);
    const sealed = seal(identity, text);
    if (row.type.toLowerCase() === 'ec2') assertSameOrigin(ec2Fields(openCredential(identity, row).blob), ec2Fields(text));
    await writeCredential(tx, id, { blob: sealed.text, key_hash: sealed.key_hash });
    return { ...row, blob: text };
  });
}

function assertSameOrigin(before: Ec2Fields, after: Ec2Fields): void {
  for (const key of ['trust_id', 'app_cred_id', 'access_token_id', 'access_id']) {
    if ((before[key] ?? null) !== (after[key] ?? null)) throw badRequest('identity.credential-origin', `${key} can not be updated for credential`);
  }
}

export async function deleteCredential(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx) => {
    if ((await findCredential(tx, id)) === undefined) throw noSuch('credential', id);
    await removeCredential(tx, id);
  });
}

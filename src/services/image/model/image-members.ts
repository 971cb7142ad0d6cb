import { isoMicros, isoSeconds } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { conflict, forbidden, notFound, tooLarge } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { deleteMember as deleteRow, findMember, insertMember, listMembers, type MemberRow, setMemberStatus } from '../store/image-members.ts';
import type { ImageRow, MemberStatus } from '../store/tables.ts';

export interface MemberView {
  image_id: string;
  member_id: string;
  status: string;
  created_at: string;
  updated_at: string;
  schema: string;
}

export function memberView(row: MemberRow): MemberView {
  return { ...row, created_at: isoSeconds(row.created_at), updated_at: isoSeconds(row.updated_at), schema: '/v2/schemas/member' };
}

function checkShared(image: ImageRow): void {
  if (image.visibility !== 'shared') throw forbidden('image.not-shared', 'Only shared images have members.');
}

const gone = (member_id: string) => notFound('image.member-not-found', `${member_id} not found in the member list of the image.`);

/** Faults: 403 for an image that is not shared, 409 member already, 413 too many. */
export async function addMember(deps: ImageDeps, image: ImageRow, member_id: string): Promise<MemberRow> {
  checkShared(image);
  const now = isoMicros(deps.clock.now());
  const row: MemberRow = { image_id: image.id, member_id, status: 'pending', created_at: now, updated_at: now };
  try {
    await deps.db.transaction(async (tx) => {
      if ((await listMembers(tx, image.id)).length >= deps.config.max_members) throw tooLarge('image.members-limit', `The limit of ${deps.config.max_members} members of an image is reached.`);
      await insertMember(tx, row);
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict('image.member-exists', `Member ${member_id} is duplicated for image ${image.id}`);
    throw error;
  }
  return row;
}

/** The owner sees all members, a member itself. Faults: 404. */
export async function membersSeenBy(deps: ImageDeps, image: ImageRow, eyes: { project_id: string | undefined; is_admin: boolean }): Promise<MemberRow[]> {
  checkShared(image);
  const rows = await listMembers(deps.db.read, image.id);
  return eyes.is_admin || image.owner === eyes.project_id ? rows : rows.filter((row) => row.member_id === eyes.project_id);
}

export async function getMember(deps: ImageDeps, image: ImageRow, member_id: string): Promise<MemberRow> {
  const row = image.visibility === 'shared' ? await findMember(deps.db.read, image.id, member_id) : undefined;
  if (!row) throw gone(member_id);
  return row;
}

export async function updateMember(deps: ImageDeps, image: ImageRow, member_id: string, status: MemberStatus): Promise<MemberRow> {
  checkShared(image);
  await getMember(deps, image, member_id);
  await deps.db.transaction((tx) => setMemberStatus(tx, image.id, member_id, status, isoMicros(deps.clock.now())));
  return getMember(deps, image, member_id);
}

export async function removeMember(deps: ImageDeps, image: ImageRow, member_id: string): Promise<void> {
  checkShared(image);
  await getMember(deps, image, member_id);
  await deps.db.transaction((tx) => deleteRow(tx, image.id, member_id));
}

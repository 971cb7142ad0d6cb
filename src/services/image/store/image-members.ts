import type { Kysely, Transaction } from 'kysely';
import type { ImageTables, MemberStatus } from './tables.ts';

export type MemberRow = ImageTables['image_members'];

export async function listMembers(db: Kysely<ImageTables>, image_id: string): Promise<MemberRow[]> {
  return db.selectFrom('image_members').selectAll().where('image_id', '=', image_id).orderBy('member_id').limit(1000).execute();
}

export async function findMember(db: Kysely<ImageTables>, image_id: string, member_id: string): Promise<MemberRow | undefined> {
  return db.selectFrom('image_members').selectAll().where('image_id', '=', image_id).where('member_id', '=', member_id).executeTakeFirst();
}

export async function insertMember(tx: Transaction<ImageTables>, row: MemberRow): Promise<void> {
  await tx.insertInto('image_members').values(row).execute();
}

export async function setMemberStatus(tx: Transaction<ImageTables>, image_id: string, member_id: string, status: MemberStatus, updated_at: string): Promise<void> {
  await tx.updateTable('image_members').set({ status, updated_at }).where('image_id', '=', image_id).where('member_id', '=', member_id).execute();
}

export async function deleteMember(tx: Transaction<ImageTables>, image_id: string, member_id: string): Promise<void> {
  await tx.deleteFrom('image_members').where('image_id', '=', image_id).where('member_id', '=', member_id).execute();
}

import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { taken } from '../faults.ts';

/** Writes a row whose name must be the only one of its kind. @returns the row; @throws Fault 409 */
export async function unique<Row extends { name: string; domain_id: string }>(kind: 'user' | 'group' | 'role', row: Row, write: () => Promise<void>): Promise<Row> {
  try {
    await write();
    return row;
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw taken(kind, `Duplicate entry found with name ${row.name}${kind === 'role' ? '' : ` at domain ID ${row.domain_id}`}`);
  }
}

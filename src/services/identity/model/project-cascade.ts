/** A project with all below it: disabled or enabled at once, or deleted. */
import { badRequest } from '../../../kernel/fault.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { findProject, projectParents, projectSubtree, updateProject as writeProject } from '../store/projects.ts';
import type { ProjectRow } from '../store/tables.ts';
import { assertMutable } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { eraseProject, tellDeleted, touchProject } from './projects.ts';

const MOST = 100_000;

/** From the top down. Fault 404 for what is no project. */
async function tree(tx: Tx, id: string): Promise<[ProjectRow, ...ProjectRow[]]> {
  const row = await findProject(tx, id);
  if (row === undefined || row.is_domain === 1) throw noSuch('project', id);
  return [row, ...(await projectSubtree(tx, id, MOST))];
}

/** Tokens for all of them end when they are disabled. Faults: 400, 403 below a disabled one or with an immutable one, 404. */
export async function enableSubtree(identity: Identity, id: string, enabled: boolean | undefined): Promise<ProjectRow> {
  if (enabled === undefined) throw badRequest('identity.cascade-enabled-only', 'Cascade update is only allowed for enabled attribute.');
  return await change(identity, async (tx, touch) => {
    const all = await tree(tx, id);
    if (enabled && (await projectParents(tx, id)).some((parent) => parent.enabled === 0)) throw notAllowed('parent-disabled', `Cannot enable project ${id} since it has disabled parents`);
    const values = { enabled: enabled ? 1 : 0 };
    for (const row of all.filter((each) => each.enabled !== values.enabled)) {
      assertMutable('project', row, {});
      await writeProject(tx, row.id, values);
      await touchProject(identity, tx, touch, row, values);
    }
    return { ...all[0], ...values };
  });
}

/** Faults: 403 unless all below it are disabled, or with an immutable one; 404. */
export async function deleteSubtree(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const [top, ...below] = await tree(tx, id);
    const enabled = below.find((row) => row.enabled === 1);
    if (enabled !== undefined) throw notAllowed('subtree-enabled', `Cannot delete project ${id} since its subtree contains enabled projects.`);
    for (const row of [top, ...below]) assertMutable('project', row);
    for (const row of [...below.toReversed(), top]) await eraseProject(identity, tx, touch, row.id);
    tellDeleted(identity, tx, [top, ...below].map((row) => row.id));
  });
}

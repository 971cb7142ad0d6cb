import { badRequest } from '../../../kernel/fault.ts';
import { noSuch } from '../faults.ts';
import { deleteTag, findProject, insertTag, replaceTags, tagsOfProjects } from '../store/projects.ts';
import { assertMutable } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';

const MOST = 80;

export async function projectTags(identity: Identity, project_id: string): Promise<string[]> {
  if ((await findProject(identity.db.read, project_id)) === undefined) throw noSuch('project', project_id);
  return (await tagsOfProjects(identity.db.read, [project_id])).get(project_id) ?? [];
}

export async function setProjectTags(identity: Identity, project_id: string, names: readonly string[]): Promise<void> {
  await change(identity, async (tx) => {
    await mutableProject(tx, project_id);
    await replaceTags(tx, project_id, names);
  });
}

export async function addProjectTag(identity: Identity, project_id: string, name: string): Promise<void> {
  if (name.length > 255 || /[,/]/.test(name)) throw badRequest('identity.tag-invalid', `Invalid input for field 'name': '${name}' does not match '^[^,/]*$'`);
  await change(identity, async (tx) => {
    await mutableProject(tx, project_id);
    const before = (await tagsOfProjects(tx, [project_id])).get(project_id) ?? [];
    if (before.length >= MOST && !before.includes(name)) throw badRequest('identity.too-many-tags', `Invalid input for field 'tags': a project has at most ${MOST} tags`);
    await insertTag(tx, project_id, name);
  });
}

export async function removeProjectTag(identity: Identity, project_id: string, name: string): Promise<void> {
  await change(identity, async (tx) => {
    await mutableProject(tx, project_id);
    if (!(await deleteTag(tx, project_id, name))) throw noSuch('project tag', name);
  });
}

async function mutableProject(tx: Tx, project_id: string): Promise<void> {
  const row = await findProject(tx, project_id);
  if (row === undefined) throw noSuch('project', project_id);
  assertMutable('project', row, {});
}

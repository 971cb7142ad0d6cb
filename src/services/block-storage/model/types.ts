import type { Auth } from '../../../kernel/context.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { typeNameNotFound, typeNotFound } from '../faults.ts';
import { defaultTypeOf, projectsOf, typesOf } from '../store/access.ts';
import { types, type Reader } from '../store/rows.ts';
import type { TypeRow } from '../store/tables.ts';

type Deps = Pick<BlockStorageDeps, 'db' | 'clock' | 'config'>;

/** Who looks for a type: administrators see every one. */
export interface Eyes {
  project_id: string | undefined;
  is_admin: boolean;
}

export const eyesOf = (auth: Auth): Eyes => ({ project_id: auth.project_id, is_admin: auth.roles.includes('admin') });

/** @throws Fault 404 */
export async function getType(db: Reader, eyes: Eyes, id: string): Promise<TypeRow> {
  const row = await types.find(db, id);
  if (row === undefined || !(await isVisible(db, eyes, row))) throw typeNotFound(id);
  return row;
}

export async function isVisible(db: Reader, eyes: Eyes, row: TypeRow): Promise<boolean> {
  if (eyes.is_admin || row.is_public === 1) return true;
  return eyes.project_id !== undefined && (await projectsOf(db, 'block_storage_type_access', row.id)).includes(eyes.project_id);
}

export async function typeByName(db: Reader, name: string): Promise<TypeRow | undefined> {
  return (await types.all(db, [{ column: 'name', op: 'eq', value: name }]))[0];
}

/** By id or name. @throws Fault 404 */
export async function resolveType(db: Reader, eyes: Eyes, named: string): Promise<TypeRow> {
  const row = (await types.find(db, named)) ?? (await typeByName(db, named));
  if (row === undefined || !(await isVisible(db, eyes, row))) throw typeNameNotFound(named);
  return row;
}

/** The type of volumes that name none: the project's own, else the configuration's. */
export async function defaultType(deps: Deps, project_id: string | undefined): Promise<TypeRow> {
  const own = project_id === undefined ? undefined : await defaultTypeOf(deps.db.read, project_id);
  const row = own === undefined ? await typeByName(deps.db.read, deps.config.default_volume_type) : await types.find(deps.db.read, own);
  if (row === undefined) throw badRequest('block-storage.no-default-type', `Default volume type ${deps.config.default_volume_type} could not be found.`);
  return row;
}

/** The type of the configuration has to be there: made at the first start. */
export async function ensureDefaultType(deps: Deps): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if ((await typeByName(tx, deps.config.default_volume_type)) !== undefined) return;
    const created_at = isoMicros(deps.clock.now());
    const row = { name: deps.config.default_volume_type, description: 'Default Volume Type', is_public: 1, qos_specs_id: null, extra_specs_json: '{}', encryption_json: null };
    await types.insert(tx, { id: uuid(), ...row, created_at, updated_at: null });
  });
}

/** Ids of the private types that a project may use. */
export const ownTypes = (db: Reader, project_id: string | undefined): Promise<string[]> =>
  project_id === undefined ? Promise.resolve([]) : typesOf(db, 'block_storage_type_access', project_id);

export const extraSpecs = (row: TypeRow): Record<string, string> => JSON.parse(row.extra_specs_json) as Record<string, string>;

/** `<is> True` */
export const isTrueSpec = (value: string | undefined): boolean => value !== undefined && /^\s*(<is>\s*)?true\s*$/i.test(value);

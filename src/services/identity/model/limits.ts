/** Limits that one project or one domain has instead of what is registered for all. */
import { notFound, type Fault } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import type { LimitQuestion } from '../client.ts';
import { missing, notAllowed } from '../faults.ts';
import {
  deleteLimit as removeLimit, findLimit, findRegisteredLimit, findRegisteredLimitOf, insertLimit, isExceededWithin, limitOfDomain, projectsBelow, readEffectiveLimit,
  updateLimit as writeLimit,
} from '../store/limits.ts';
import { findProject } from '../store/projects.ts';
import type { LimitRow, RegisteredLimitRow } from '../store/tables.ts';
import { catchUp, change, type Identity, type Tx } from './identity.ts';
import { assertPlace, onlyOne } from './registered-limits.ts';

export interface LimitInput {
  service_id: string;
  region_id?: string | null;
  resource_name: string;
  resource_limit: number;
  project_id?: string | null;
  domain_id?: string | null;
  description?: string | null;
}

interface EnforcementModel {
  name: string;
  description: string;
  /** How far from its domain a project may be. */
  levels: number;
}

const MODELS: Readonly<Record<'flat' | 'strict_two_level', EnforcementModel>> = {
  flat: { name: 'flat', description: 'Limit enforcement and validation does not take project hierarchy into consideration.', levels: Infinity },
  strict_two_level: { name: 'strict_two_level', description: 'This model requires project hierarchy never exceeds a depth of two', levels: 2 },
};

export function enforcementModel(identity: Identity): EnforcementModel {
  return MODELS[identity.config.limit_model];
}

/** Refuses to start over projects that the configured model could not speak of. */
export async function assertDepth(identity: Identity): Promise<void> {
  const { name, levels } = enforcementModel(identity);
  if (levels === Infinity) return;
  const deeper = await projectsBelow(identity.db.read, levels);
  if (deeper.length > 0) throw new Error(`[identity] limit_model = "${name}" allows ${levels} levels of projects; these are deeper: ${deeper.join(', ')}`);
}

/** All of them or none. Faults: 400 for what is not there, 403 without a registered limit or against the model, 409. */
export async function createLimits(identity: Identity, inputs: readonly LimitInput[]): Promise<LimitRow[]> {
  return await change(identity, async (tx, touch) => {
    const rows: LimitRow[] = [];
    const registered = new Map<string, RegisteredLimitRow>();
    for (const input of inputs) {
      const row = await rowOf(tx, input);
      const above = await findRegisteredLimitOf(tx, row);
      if (above === undefined) throw notAllowed('limit-without-registered', 'Unable to create a limit that has no corresponding registered limit.');
      row.registered_limit_id = above.id;
      registered.set(above.id, above);
      await onlyOne('limit', () => insertLimit(tx, row));
      rows.push(row);
    }
    // Once all of them are there: a domain and its project may come in one request, in either order.
    for (const row of rows) await assertFits(identity, tx, row, registered.get(row.registered_limit_id) as RegisteredLimitRow);
    touch('limits');
    return rows;
  });
}

/** A domain given as a project is a domain. */
async function rowOf(tx: Tx, input: LimitInput): Promise<LimitRow> {
  await assertPlace(tx, input, 'limit');
  const asked = input.project_id ?? input.domain_id;
  const attribute = typeof input.project_id === 'string' ? 'project_id' : 'domain_id';
  const owner = typeof asked === 'string' ? await findProject(tx, asked) : undefined;
  if (owner === undefined || (attribute === 'domain_id' && owner.is_domain === 0)) throw missing(attribute, 'limit');
  const [project_id, domain_id] = owner.is_domain === 1 ? [null, owner.id] : [owner.id, null];
  return {
    id: hexId(), registered_limit_id: '', project_id, domain_id, service_id: input.service_id, region_id: input.region_id ?? '', resource_name: input.resource_name,
    resource_limit: input.resource_limit, description: input.description ?? null,
  };
}

const amount = (limit: number): number => (limit === -1 ? Infinity : limit);

/** In the strict model a project never has more than its domain. */
async function assertFits(identity: Identity, tx: Tx, row: LimitRow, registered: RegisteredLimitRow): Promise<void> {
  if (enforcementModel(identity).levels === Infinity) return;
  const own = amount(row.resource_limit);
  const fits = row.project_id === null
    ? own === Infinity || !(await isExceededWithin(tx, registered.id, row.domain_id as string, own))
    : own <= amount((await limitOfDomain(tx, registered.id, (await findProject(tx, row.project_id))?.domain_id ?? '')) ?? registered.default_limit);
  if (fits) return;
  const whose = row.project_id === null ? `domain_id: ${row.domain_id}` : `project_id: ${row.project_id}`;
  const what = `resource_name: ${row.resource_name}, resource_limit: ${row.resource_limit}, service_id: ${row.service_id}, region_id: ${row.region_id || null}`;
  throw notAllowed('limit-against-model', `Invalid resource limit: The resource limit (${whose}, ${what}) doesn't satisfy current hierarchy model..`);
}

export async function updateLimit(identity: Identity, id: string, input: Partial<Pick<LimitInput, 'resource_limit' | 'description'>>): Promise<LimitRow> {
  return await change(identity, async (tx, touch) => {
    const before = await findLimit(tx, id);
    if (before === undefined) throw noLimit(id);
    const row: LimitRow = { ...before, ...input };
    await writeLimit(tx, id, { resource_limit: row.resource_limit, description: row.description });
    await assertFits(identity, tx, row, (await findRegisteredLimit(tx, row.registered_limit_id)) as RegisteredLimitRow);
    touch('limits');
    return row;
  });
}

export async function deleteLimit(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findLimit(tx, id)) === undefined) throw noLimit(id);
    await removeLimit(tx, id);
    touch('limits');
  });
}

export function noLimit(id: string): Fault {
  return notFound('identity.limit-not-found', `Could not find limit for ${id}.`);
}

/** How much a project may use; undefined: as much as there is. In the strict model never more than its domain. Cached. */
export async function limitOf(identity: Identity, question: LimitQuestion, region_id: string): Promise<number | undefined> {
  await catchUp(identity);
  const { service, resource_name, project_id } = question;
  return await identity.limits.get(`${service}/${resource_name}/${project_id}`, async () => {
    const row = await readEffectiveLimit(identity.db.read, question, region_id);
    if (row === undefined) return undefined;
    const own = amount(row.project_limit ?? row.default_limit);
    const strict = enforcementModel(identity).levels !== Infinity && row.domain_limit !== null;
    const limit = strict ? Math.min(own, amount(row.domain_limit as number)) : own;
    return limit === Infinity ? undefined : limit;
  });
}

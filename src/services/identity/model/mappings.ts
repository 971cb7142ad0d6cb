/** Mappings: the rules by which an identity provider's words become a user, groups and projects here. */
import { badRequest } from '../../../kernel/fault.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { noSuch, taken } from '../faults.ts';
import { deleteMapping as removeMapping, findMapping, insertMapping, updateMapping as writeMapping } from '../store/federation.ts';
import type { MappingRow } from '../store/tables.ts';
import { change, type Identity } from './identity.ts';
import { patternOf, type MappingRule } from './mapping-rules.ts';

export interface MappingInput { rules: MappingRule[]; schema_version?: string }

function rowOf(id: string, { rules, schema_version = '1.0' }: MappingInput): MappingRow {
  for (const rule of rules) assertRule(rule, schema_version);
  return { id, rules: JSON.stringify(rules), schema_version };
}

function assertRule(rule: MappingRule, version: string): void {
  for (const { projects, projects_json } of rule.local) {
    if (projects_json !== undefined && version !== '3.0') throw invalid('projects_json needs schema_version 3.0');
    if (version === '1.0' && (projects ?? []).some((project) => project.domain !== undefined)) throw invalid('the domain of a project needs schema_version 2.0');
  }
  for (const { type, regex, any_one_of = [], not_any_of = [], blacklist = [], whitelist = [] } of rule.remote) {
    if (regex !== true) continue;
    for (const pattern of [...any_one_of, ...not_any_of, ...blacklist, ...whitelist]) {
      try {
        patternOf(pattern);
      } catch {
        throw invalid(`${type}: '${pattern}' is not a regular expression`);
      }
    }
  }
}

const invalid = (detail: string) => badRequest('identity.mapping-invalid', `Invalid mapping: ${detail}`);

export async function createMapping(identity: Identity, id: string, input: MappingInput): Promise<MappingRow> {
  const row = rowOf(id, input);
  await change(identity, async (tx) => {
    try {
      await insertMapping(tx, row);
    } catch (error) {
      if (isUniqueViolation(error)) throw taken('mapping', `Duplicate entry found with ID ${id}`);
      throw error;
    }
  });
  return row;
}

export async function updateMapping(identity: Identity, id: string, input: MappingInput): Promise<MappingRow> {
  const row = rowOf(id, input);
  await change(identity, async (tx) => {
    if ((await findMapping(tx, id)) === undefined) throw noSuch('mapping', id);
    await writeMapping(tx, id, row);
  });
  return row;
}

export async function deleteMapping(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx) => {
    if ((await findMapping(tx, id)) === undefined) throw noSuch('mapping', id);
    await removeMapping(tx, id);
  });
}

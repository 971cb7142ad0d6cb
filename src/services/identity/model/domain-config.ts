/** What a domain sets otherwise than the cloud. Kept and shown as in keystone; nothing of this cloud reads users from elsewhere, so nothing acts on it. */
import { notFound, type Fault } from '../../../kernel/fault.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { deleteDomainOptions, listDomainOptions, writeDomainOptions, type ConfigPart } from '../store/domain-config.ts';
import { findProject } from '../store/projects.ts';
import type { DomainOptionRow } from '../store/tables.ts';
import { isSensitive, readableOptions, type OptionValues } from './domain-options.ts';
import type { Fields } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { seal } from './secrets.ts';

export type DomainConfig = Record<string, Record<string, unknown>>;

function invalidConfig(reason: string): Fault {
  return notAllowed('domain-config-invalid', `Invalid domain specific configuration: ${reason}.`);
}

function noConfig({ domain_id, group, option }: ConfigPart): Fault {
  const what = option !== undefined ? `option ${option} in group ${group}` : group !== undefined ? `group ${group}` : 'any options';
  return notFound('identity.domain-config-not-found', `Could not find ${what} in domain configuration for domain ${domain_id}.`);
}

async function assertDomain(db: Tx | Identity['db']['read'], id: string): Promise<void> {
  if ((await findProject(db, id))?.is_domain !== 1) throw noSuch('domain', id);
}

function assertPart(identity: Identity, group: string | undefined, option: string | undefined): void {
  if (group === undefined) return;
  const known = optionsOf(identity, group);
  if (known === undefined) throw invalidConfig(`Group ${group} is not supported for domain specific configurations`);
  if (option !== undefined && !Object.hasOwn(known, option) && !isSensitive(group, option)) {
    throw invalidConfig(`Option ${option} in group ${group} is not supported for domain specific configurations`);
  }
}

function optionsOf(identity: Identity, group: string): OptionValues | undefined {
  const all = readableOptions(identity.config.list_limit);
  return Object.hasOwn(all, group) ? all[group] : undefined;
}

function assertConfig(identity: Identity, config: Fields): asserts config is DomainConfig {
  if (Object.keys(config).length === 0) throw invalidConfig('No options specified');
  for (const [group, options] of Object.entries(config)) {
    if (typeof options !== 'object' || options === null || Array.isArray(options) || Object.keys(options).length === 0) {
      throw invalidConfig(`The value of group ${group} specified in the config should be a dictionary of options`);
    }
    assertPart(identity, group, undefined);
    for (const option of Object.keys(options)) assertPart(identity, group, option);
  }
}

function rowsOf(identity: Identity, domain_id: string, config: DomainConfig): DomainOptionRow[] {
  return Object.entries(config).flatMap(([option_group, options]) => Object.entries(options).map(([option_name, value]) => {
    const text = JSON.stringify(value);
    const sensitive = isSensitive(option_group, option_name);
    const kept = sensitive ? seal(identity, text) : { text, key_hash: '' };
    return { domain_id, option_group, option_name, value: kept.text, key_hash: kept.key_hash, sensitive: Number(sensitive) };
  }));
}

function shown(rows: readonly DomainOptionRow[]): DomainConfig {
  const config: DomainConfig = {};
  for (const { option_group, option_name, value, sensitive } of rows) {
    if (sensitive === 0) (config[option_group] ??= {})[option_name] = JSON.parse(value);
  }
  return config;
}

/** Faults: 403 for what can't be set, 404. @returns one option as `{ option: value }`, else options by group */
export async function getDomainConfig(identity: Identity, part: ConfigPart): Promise<Fields> {
  assertPart(identity, part.group, part.option);
  await assertDomain(identity.db.read, part.domain_id);
  const config = shown(await listDomainOptions(identity.db.read, part));
  if (Object.keys(config).length === 0) throw noConfig(part);
  return part.option === undefined ? config : (config[part.group as string] as Fields);
}

/** In place of all that was set before. @returns `existed`: something was */
export async function createDomainConfig(identity: Identity, domain_id: string, config: Fields): Promise<{ config: DomainConfig; existed: boolean }> {
  return await change(identity, async (tx) => {
    await assertDomain(tx, domain_id);
    assertConfig(identity, config);
    const existed = (await listDomainOptions(tx, { domain_id })).length > 0;
    await deleteDomainOptions(tx, { domain_id });
    const rows = rowsOf(identity, domain_id, config);
    await writeDomainOptions(tx, rows);
    return { config: shown(rows), existed };
  });
}

/** @param asked of one option `{ option: value }`, else options by group */
export async function updateDomainConfig(identity: Identity, part: ConfigPart, asked: Fields): Promise<DomainConfig> {
  return await change(identity, async (tx) => {
    await assertDomain(tx, part.domain_id);
    const config: Fields = part.group !== undefined && part.option !== undefined ? { [part.group]: asked } : asked;
    assertConfig(identity, config);
    assertPart(identity, part.group, part.option);
    if (part.group !== undefined) {
      assertOnly(config, part.group, part.option);
      if ((await listDomainOptions(tx, part)).length === 0) throw noConfig(part);
    }
    await writeDomainOptions(tx, rowsOf(identity, part.domain_id, config));
    return shown(await listDomainOptions(tx, { domain_id: part.domain_id }));
  });
}

/** A call for one group or option speaks of that and nothing else. */
function assertOnly(config: DomainConfig, group: string, option: string | undefined): void {
  const groups = Object.keys(config);
  const options = Object.keys(config[group] ?? {});
  if (option !== undefined && options.length !== 1) throw invalidConfig(`Trying to update option ${option} in group ${group}, so that, and only that, option must be specified  in the config`);
  if (groups.length !== 1) throw invalidConfig(`Trying to update group ${group}, so that, and only that, group must be specified in the config`);
  if (groups[0] !== group) throw invalidConfig(`request to update group ${group}, but config provided contains group ${groups[0]} instead`);
  if (option !== undefined && options[0] !== option) throw invalidConfig(`Trying to update option ${option} in group ${group}, but config provided contains option ${options[0]} instead`);
}

export async function deleteDomainConfig(identity: Identity, part: ConfigPart): Promise<void> {
  await change(identity, async (tx) => {
    await assertDomain(tx, part.domain_id);
    assertPart(identity, part.group, part.option);
    if (part.group !== undefined && (await listDomainOptions(tx, part)).length === 0) throw noConfig(part);
    await deleteDomainOptions(tx, part);
  });
}

/** What holds where a domain sets nothing. */
export function defaultConfig(identity: Identity, group: string | undefined, option: string | undefined): Fields {
  assertPart(identity, group, option);
  if (group === undefined) return readableOptions(identity.config.list_limit);
  const options = optionsOf(identity, group) as OptionValues;
  if (option === undefined) return { [group]: options };
  if (isSensitive(group, option)) throw invalidConfig(`Reading the default for option ${option} in group ${group} is not supported`);
  return { [option]: options[option] };
}

/** The rules for passwords, which everybody may know. */
export function securityCompliance(identity: Identity, domain_id: string, option: string | undefined): Fields {
  if (domain_id !== 'default') throw invalidConfig('Reading security compliance information for any domain other than the default domain is not allowed or supported.');
  const { password_regex, password_regex_description } = identity.config;
  const rules: Fields = { password_regex: password_regex === '' ? null : password_regex, password_regex_description: password_regex_description === '' ? null : password_regex_description };
  if (option === undefined) return { security_compliance: rules };
  if (!Object.hasOwn(rules, option)) throw invalidConfig('Reading security compliance values other than password_regex and password_regex_description is not allowed.');
  return { [option]: rules[option] };
}

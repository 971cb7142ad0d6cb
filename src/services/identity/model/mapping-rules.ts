/** The rule language of mappings: what an identity provider says in, a user with groups and projects out. Pure. */

interface DomainReference { id?: string; name?: string }
export interface GroupReference { name: string; domain: DomainReference }
export interface MappedProject { name: string; roles: { name: string }[]; domain?: DomainReference | undefined }
interface UserReference { id?: string; name?: string; email?: string; domain?: DomainReference; type?: 'ephemeral' | 'local' }

interface RemoteRule { type: string; regex?: boolean; any_one_of?: string[]; not_any_of?: string[]; blacklist?: string[]; whitelist?: string[] }
interface LocalRule {
  user?: UserReference;
  projects?: MappedProject[];
  projects_json?: string;
  group?: { id: string } | GroupReference;
  groups?: string;
  group_ids?: string;
  domain?: DomainReference;
}
export interface MappingRule { local: LocalRule[]; remote: RemoteRule[] }

/** Name → values. */
export type Assertion = Readonly<Record<string, readonly string[]>>;

export interface Mapped {
  user: UserReference & { type: 'ephemeral' | 'local' };
  group_ids: string[];
  group_names: GroupReference[];
  projects: MappedProject[];
}

/** Why an assertion leads to nobody: for operators, not for the caller. */
export class MappingError extends Error {}

/**
 * @param version `1.0`; `2.0` gives users and projects without a domain that of their rule; `3.0` knows `projects_json` too.
 * @throws MappingError when no rule fits, or one that fits can't be followed.
 */
export function applyMapping(rules: readonly MappingRule[], assertion: Assertion, version = '1.0'): Mapped {
  const locals = rules.flatMap((rule) => {
    const values = fulfil(rule.remote, assertion);
    return values === undefined ? [] : rule.local.map((local) => fill(local, values));
  });
  if (locals.length === 0) throw new MappingError('no rule of the mapping fits');
  return gather(locals, version);
}

/** What `{0}`, `{1}` … stand for; undefined when the rule does not apply. */
function fulfil(requirements: readonly RemoteRule[], assertion: Assertion): (readonly string[])[] | undefined {
  const direct: (readonly string[])[] = [];
  for (const { type, regex = false, any_one_of, not_any_of, blacklist, whitelist } of requirements) {
    const values = Object.hasOwn(assertion, type) ? assertion[type] as readonly string[] : [];
    if (values.length === 0) return undefined;
    const hits = (wanted: readonly string[]): string[] => values.filter((value) => wanted.some((one) => (regex ? patternOf(one).test(value) : one === value)));
    if (any_one_of !== undefined) {
      if (hits(any_one_of).length === 0) return undefined;
    } else if (not_any_of !== undefined) {
      if (hits(not_any_of).length > 0) return undefined;
    } else if (blacklist !== undefined) {
      const out = new Set(hits(blacklist));
      direct.push(values.filter((value) => !out.has(value)));
    } else {
      direct.push(whitelist === undefined ? values : hits(whitelist));
    }
  }
  return direct;
}

/** Patterns are written for Python: its flags at the beginning and its named groups are understood. @throws SyntaxError */
export function patternOf(text: string): RegExp {
  const [, flags = '', rest = text] = /^\(\?([imsu]+)\)(.*)$/s.exec(text) ?? [];
  return new RegExp(rest.replaceAll('(?P<', '(?<').replaceAll('\\Z', '$').replaceAll('\\A', '^'), [...new Set(flags.replace('u', ''))].join(''));
}

/** Texts that are one placeholder alone may become lists. */
type Filled<T> = T extends string ? string | string[] : T extends object ? { [K in keyof T]: Filled<T[K]> } : T;

function fill<T>(value: T, direct: readonly (readonly string[])[]): Filled<T> {
  if (typeof value === 'string') return fillText(value, direct) as Filled<T>;
  if (Array.isArray(value)) return value.map((item) => fill(item, direct)) as Filled<T>;
  if (typeof value !== 'object' || value === null) return value as Filled<T>;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, direct)])) as Filled<T>;
}

function fillText(text: string, direct: readonly (readonly string[])[]): string | string[] {
  const take = (index: string): readonly string[] => {
    const values = direct[Number(index)];
    if (values === undefined) throw new MappingError(`{${index}} refers to nothing that the rule found`);
    return values;
  };
  const [, alone] = /^\{(\d+)\}$/.exec(text) ?? [];
  if (alone !== undefined) {
    const values = take(alone);
    return values.length === 1 ? values[0] as string : [...values];
  }
  return text.replaceAll(/\{\{|\}\}|\{(\d+)\}/g, (whole, index: string | undefined) => (index === undefined ? whole[0] as string : oneText(take(index))));
}

const oneText = (values: readonly string[]): string => (values.length === 1 ? values[0] as string : `[${values.map((value) => `'${value}'`).join(', ')}]`);

/** A list, or a text that writes one down: `a` or `['a', 'b']`. */
function listOf(value: string | string[]): string[] {
  if (typeof value !== 'string') return value;
  if (!/^\[.*\]$/s.test(value)) return [value];
  return [...value.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(([, single, double]) => (single ?? double ?? '').replaceAll(/\\(.)/g, '$1'));
}

function gather(locals: readonly Filled<LocalRule>[], version: string): Mapped {
  const group_ids = new Set<string>();
  const group_names: GroupReference[] = [];
  const projects: MappedProject[] = [];
  let user: UserReference | undefined;
  for (const local of locals) {
    const domain = local.domain as DomainReference | undefined;
    if (user === undefined && local.user !== undefined) user = withDomain(plain<UserReference>(local.user, 'user'), version === '1.0' ? undefined : domain);
    if (local.group !== undefined) {
      const group = plain<{ id: string } | GroupReference>(local.group, 'group');
      if ('id' in group) group_ids.add(group.id);
      else group_names.push(group);
    }
    if (local.groups !== undefined) group_names.push(...listOf(local.groups).map((text) => groupOf(text, domain)));
    if (local.group_ids !== undefined) for (const id of listOf(local.group_ids)) group_ids.add(id);
    const found = [...(local.projects ?? []).map((project) => plain<MappedProject>(project, 'projects')), ...jsonProjects(local.projects_json)];
    projects.push(...found.map((project) => (version === '1.0' ? project : withDomain(project, domain))));
  }
  return { user: { ...user, type: user?.type ?? 'ephemeral' }, group_ids: [...group_ids], group_names, projects };
}

function withDomain<T extends { domain?: DomainReference | undefined }>(value: T, domain: DomainReference | undefined): T {
  return value.domain === undefined && domain !== undefined ? { ...value, domain } : value;
}

/** Where one text is wanted, several are a mistake. */
function plain<T>(value: unknown, where: string): T {
  const walk = (item: unknown, key: string): void => {
    if (Array.isArray(item) && item.every((one) => typeof one === 'string')) {
      if (key !== 'roles' || item.length > 0) throw new MappingError(`${where}: ${key} has ${item.length} values where one is wanted`);
    } else if (typeof item === 'object' && item !== null) {
      for (const [name, inner] of Object.entries(item)) walk(inner, name);
    }
  };
  walk(value, where);
  return value as T;
}

/** A name, with the domain of the rule; or an object `{ name, domain }` in JSON, marked by `JSON:` or not. */
function groupOf(text: string, domain: DomainReference | undefined): GroupReference {
  const json = text.replace(/^JSON:/, '');
  const given = json.startsWith('{') ? parseJson(json) as Partial<GroupReference> : { name: text, domain };
  if (typeof given.name !== 'string' || typeof given.domain !== 'object') throw new MappingError("both 'groups' and 'domain' must be specified");
  return { name: given.name, domain: given.domain };
}

function jsonProjects(value: string | string[] | undefined): MappedProject[] {
  if (value === undefined) return [];
  const found = asList(value).flatMap((text) => parseJson(text) as MappedProject | MappedProject[]);
  for (const project of found) {
    const roles: unknown = project.roles;
    if (typeof project.name !== 'string' || !Array.isArray(roles) || roles.some((role: { name?: unknown }) => typeof role?.name !== 'string')) throw new MappingError('projects_json holds something that is no project with roles');
  }
  return found;
}

const asList = (value: string | string[]): string[] => (typeof value === 'string' ? [value] : value);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MappingError('a value that should be JSON is none');
  }
}

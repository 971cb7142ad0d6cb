import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { Credentials } from './api.ts';
import { CliError } from './errors.ts';

/** The file that openstack clients read: $OS_CLIENT_CONFIG_FILE, the user's own, or the host's when only that exists. */
export function cloudsYamlPath(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['OS_CLIENT_CONFIG_FILE'];
  if (named !== undefined && named !== '') return named;
  const config = env['XDG_CONFIG_HOME'];
  const own = join(config !== undefined && config !== '' ? config : join(env['HOME'] ?? homedir(), '.config'), 'openstack', 'clouds.yaml');
  const shared = '/etc/openstack/clouds.yaml';
  return !existsSync(own) && existsSync(shared) && process.getuid?.() === 0 ? shared : own;
}

/** What goes under `clouds:` for one user. */
export function cloudEntry({ project, ...credentials }: Credentials): object {
  return entry(credentials, { project_name: project, user_domain_name: 'Default', project_domain_name: 'Default' });
}

/** The same for an administrator who acts on the system, not in a project. */
export function systemEntry(credentials: Credentials): object {
  return entry(credentials, { user_domain_name: 'Default', system_scope: 'all' });
}

function entry({ auth_url, username, password, region }: Omit<Credentials, 'project'>, scope: object): object {
  return { auth: { auth_url, username, password, ...scope }, region_name: region, interface: 'public', identity_api_version: 3 };
}

/** The names of the entries that `gantry up` makes for a cloud. */
export function entryNames(cloud: string): { admin: string; system: string; demo: string } {
  return { admin: cloud, system: `${cloud}-system`, demo: `${cloud}-demo` };
}

/** The text with these entries in place of, or beside, what is there; comments and other clouds stay. */
export function mergeClouds(text: string, entries: Record<string, object>): string {
  const document = parse(text);
  if (document.contents === null) document.contents = document.createNode({ clouds: {} }) as never;
  if (!isMap(document.contents)) throw unusable('it is not a mapping');
  if (!isMap(document.get('clouds'))) document.set('clouds', document.createNode({}));
  for (const [name, entry] of Object.entries(entries)) {
    const present = document.getIn(['clouds', name]);
    if (isMap(present) && JSON.stringify(present.toJSON()) === JSON.stringify(entry)) continue;
    document.setIn(['clouds', name], document.createNode(entry));
  }
  return String(document);
}

/** The text without those of the named entries that lead to this auth URL. */
export function removeClouds(text: string, names: readonly string[], auth_url: string): string {
  const document = parse(text);
  let changed = false;
  for (const name of names) {
    if (document.getIn(['clouds', name, 'auth', 'auth_url']) === auth_url) changed = document.deleteIn(['clouds', name]) || changed;
  }
  return changed ? String(document) : text;
}

function parse(text: string): Document {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw unusable(problem.message.split('\n')[0]!);
  return document as Document;
}

function unusable(why: string): CliError {
  return new CliError('GY-CLOUDS-001', `clouds.yaml cannot be extended: ${why}`, { next: 'repair the file, or use --no-write' });
}

/** Changes the file by `change`, keeping a copy of what was there beside it. @returns whether anything changed. */
export function editCloudsYaml(path: string, change: (text: string) => string, options: { backup: boolean } = { backup: true }): boolean {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const after = change(before);
  if (after === before) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const target = existsSync(path) ? realpathSync(path) : path;
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o600;
  if (before !== '' && options.backup) copyFileSync(target, `${target}.before-gantry`);
  writeFileSync(`${target}.new`, after, { mode });
  renameSync(`${target}.new`, target);
  return true;
}

/** Who calls, by what openstack's own clients read: OS_CLOUD with clouds.yaml, then OS_*, then the admin of the cloud on this host. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Login } from './api.ts';
import { cloudsYamlPath } from './clouds-yaml.ts';
import { CliError } from './errors.ts';
import { credentialsOf } from './secrets.ts';
import type { Settings } from './settings.ts';

type Values = Record<string, string | undefined>;

/** @throws CliError when what there is does not suffice. */
export function callerOf(settings: Settings, env: NodeJS.ProcessEnv = process.env): Login {
  const cloud = filled(env['OS_CLOUD']);
  if (cloud !== undefined) return loginOf(entryOf(cloud, env), `cloud ${cloud} of clouds.yaml`);
  if (filled(env['OS_AUTH_URL']) !== undefined) return loginOf(fromEnvironment(env), 'the OS_* variables');
  const { auth_url, username, password, project, region } = credentialsOf(settings, 'admin');
  return loginOf({ auth_url, username, password, project_name: project, region_name: region }, 'the cloud on this host');
}

const NAMES = [
  'auth_url', 'username', 'user_id', 'password', 'user_domain_name', 'user_domain_id', 'project_name', 'project_id', 'project_domain_name', 'project_domain_id',
  'token', 'application_credential_id', 'application_credential_name', 'application_credential_secret', 'region_name',
] as const;

function fromEnvironment(env: NodeJS.ProcessEnv): Values {
  const values: Values = Object.fromEntries(NAMES.map((name) => [name, filled(env[`OS_${name.toUpperCase()}`])]));
  values['project_name'] ??= filled(env['OS_TENANT_NAME']);
  return values;
}

function entryOf(name: string, env: NodeJS.ProcessEnv): Values {
  const path = cloudsYamlPath(env);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const clouds = (parse(text) as { clouds?: Record<string, { auth?: Values; region_name?: string }> } | null)?.clouds ?? {};
  const entry = clouds[name];
  if (entry === undefined) throw new CliError('GY-CALLER-001', `${path} has no cloud ${name}`, { next: 'unset OS_CLOUD, or name one that is there' });
  return { ...entry.auth, region_name: entry.region_name };
}

/** @param where the values are from, for the message of what is missing. */
export function loginOf(values: Values, where: string): Login {
  const auth_url = values['auth_url'];
  if (auth_url === undefined) throw missing('an auth URL', where);
  const root = auth_url.replace(/\/+$/, '');
  return { auth_url: root.endsWith('/v3') ? root : `${root}/v3`, region: values['region_name'], auth: authOf(values, where) };
}

function authOf(values: Values, where: string): object {
  const secret = values['application_credential_secret'];
  if (secret !== undefined) {
    const id = values['application_credential_id'];
    const named = { name: values['application_credential_name'], user: userOf(values) };
    return { identity: { methods: ['application_credential'], application_credential: { secret, ...(id === undefined ? named : { id }) } } };
  }
  const scope = scopeOf(values);
  if (scope === undefined) throw missing('a project', where);
  if (values['token'] !== undefined && values['password'] === undefined) return { identity: { methods: ['token'], token: { id: values['token'] } }, scope };
  if (values['password'] === undefined) throw missing('a password', where);
  const user = userOf(values);
  if (user === undefined) throw missing('a user', where);
  return { identity: { methods: ['password'], password: { user: { ...user, password: values['password'] } } }, scope };
}

function userOf(values: Values): object | undefined {
  if (values['user_id'] !== undefined) return { id: values['user_id'] };
  return values['username'] === undefined ? undefined : { name: values['username'], domain: domainOf(values, 'user') };
}

function scopeOf(values: Values): object | undefined {
  if (values['project_id'] !== undefined) return { project: { id: values['project_id'] } };
  return values['project_name'] === undefined ? undefined : { project: { name: values['project_name'], domain: domainOf(values, 'project') } };
}

function domainOf(values: Values, whose: 'user' | 'project'): object {
  const id = values[`${whose}_domain_id`];
  const name = values[`${whose}_domain_name`];
  if (id === undefined && name !== undefined) return { name };
  return { id: id ?? 'default' };
}

function missing(what: string, where: string): CliError {
  return new CliError('GY-CALLER-002', `${where} name no ${what.replace(/^an? /, '')}`, { next: 'eval "$(./gantry env)"' });
}

const filled = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

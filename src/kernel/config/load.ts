import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { Value } from 'typebox/value';
import { checkSection } from './check.ts';
import { readEnv } from './env.ts';
import { lineOf } from './locate.ts';
import { coreSections } from './schema.ts';
import type { Config, Sections } from './schema.ts';
import { didYouMean } from './suggest.ts';

/** The configuration cannot be used; `problems` holds a line for each reason. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface LoadOptions<S extends Sections> {
  /** Path of the TOML file; without it only defaults and environment count. */
  file?: string;
  /** The services' sections by name, each exported from its `config.ts`. */
  sections?: S;
  /** Defaults to the process's own. */
  env?: NodeJS.ProcessEnv;
  /** `ignore` leaves sections that are not in `sections` to their owners; by default they are refused. */
  other_sections?: 'ignore';
}

/**
 * Reads the one TOML file, lays `GANTRY_<SECTION>_<KEY>` variables over it, fills in defaults and checks all of it.
 * @throws ConfigError naming file, line and what was expected.
 */
export function loadConfig<S extends Sections = {}>(options: LoadOptions<S> = {}): Config<S> {
  const text = options.file === undefined ? '' : readText(options.file);
  return parseConfig(text, options);
}

/** As `loadConfig`, of a text. */
export function parseConfig<S extends Sections = {}>(text: string, options: LoadOptions<S> = {}): Config<S> {
  const file = options.file ?? 'configuration';
  const sections: Sections = { ...coreSections, ...options.sections };
  const raw = parseToml(text, file);
  const { overrides, problems } = readEnv(options.env ?? process.env, sections);

  for (const [section, value] of Object.entries(raw)) {
    const schema = sections[section];
    if (schema === undefined) {
      if (options.other_sections === 'ignore') continue;
      const what = value !== null && typeof value === 'object' && !Array.isArray(value) ? `section [${section}]` : `key "${section}" outside of a section`;
      problems.push(at(file, lineOf(text, section), `unknown ${what}${didYouMean(section, Object.keys(sections))}`));
      continue;
    }
    problems.push(...checkSection(section, schema, value).map((problem) => at(file, lineOf(text, section, problem.key), problem.text)));
  }
  for (const { variable, section, key, value } of overrides) {
    problems.push(...checkSection(section, sections[section]!, { [key]: value }).map((problem) => `environment variable ${variable}: ${problem.text}`));
  }
  if (problems.length > 0) throw new ConfigError(problems);

  for (const { section, key, value } of overrides) raw[section] = { ...(raw[section] as object), [key]: value };
  const filled = Object.fromEntries(
    Object.entries(sections).map(([name, schema]) => [name, Value.Default(schema, structuredClone(raw[name] ?? {}))]),
  );
  return derive(filled as unknown as Config<S>, options.file);
}

/** Defaults that follow from other settings. Relative paths are meant from the file's folder. */
function derive<S extends Sections>(config: Config<S>, file: string | undefined): Config<S> {
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  const core = config as Config;
  const { cloud, controller, api, agent, database } = core;
  cloud.data_dir = resolve(folder, cloud.data_dir);
  const inData = (path: string, fallback: string): string => (path === '' ? join(cloud.data_dir, fallback) : resolve(folder, path));
  if (api.public_url === '') api.public_url = localUrl(api);
  api.public_url = api.public_url.replace(/\/+$/, '');
  if (agent.controller_url === '') agent.controller_url = localUrl(api).replace('http', 'ws');
  controller.admin_password_file = inData(controller.admin_password_file, 'secrets/admin-password');
  agent.join_token_file = inData(agent.join_token_file, 'secrets/join-token');
  api.policy_file = inData(api.policy_file, 'policy.yaml');
  agent.state_dir = inData(agent.state_dir, 'agent');
  if (database.url === '') database.url = `sqlite:${join(cloud.data_dir, 'controller', 'gantry.db')}`;
  return config;
}

/** By what this host reaches the port. */
export function localUrl(api: { host: string; port: number }): string {
  return `http://${reachable(api.host)}:${api.port}`;
}

/** An address to connect to, for one to listen on. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read: ${(error as Error).message}`]);
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new ConfigError([`${file}:${error.line}:${error.column}: not valid TOML: ${reason}`]);
  }
}

function at(file: string, line: number | undefined, text: string): string {
  return line === undefined ? `${file}: ${text}` : `${file}:${line}: ${text}`;
}

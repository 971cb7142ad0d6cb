import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { serviceSections } from '../cloud-config.ts';
import { ConfigError, loadConfig, parseConfig } from '../kernel/config/config.ts';
import type { Config } from '../kernel/config/config.ts';

/** Options that every command knows. */
export interface CommonOptions {
  dataDir?: string;
  name?: string;
  config?: string;
  output?: string;
}

/** Which cloud a command is about, and where its parts lie. */
export interface Settings {
  config: Config;
  config_file: string;
  data_dir: string;
  /** Whether a cloud was ever set up here. */
  exists: boolean;
  /** Root folder of this program. */
  checkout: string;
}

export const checkout = resolve(import.meta.dirname, '..', '..');

/** --data-dir, $GANTRY_DATA_DIR, /var/lib/<name> for root, else the XDG data folder. */
export function defaultDataDir(options: CommonOptions, env: NodeJS.ProcessEnv = process.env, uid = process.getuid?.() ?? 0): string {
  const given = options.dataDir ?? env['GANTRY_DATA_DIR'];
  if (given !== undefined && given !== '') return resolve(given);
  const name = options.name ?? env['GANTRY_NAME'] ?? 'gantry';
  if (uid === 0) return `/var/lib/${name}`;
  const xdg = env['XDG_DATA_HOME'];
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.local', 'share'), name);
}

/** Reads the cloud's file where there is one. @throws ConfigError */
export function readSettings(options: CommonOptions): Settings {
  const config_file = options.config !== undefined ? resolve(options.config) : join(defaultDataDir(options), 'gantry.toml');
  const exists = existsSync(config_file);
  const env = withoutPlace(process.env, options);
  const config = exists || options.config !== undefined
    ? loadConfig({ file: config_file, env, sections: serviceSections })
    : parseConfig(options.name === undefined ? '' : `[cloud]\nname = ${JSON.stringify(options.name)}\n`, { file: config_file, env, sections: serviceSections });
  return { config, config_file, data_dir: config.cloud.data_dir, exists, checkout };
}

/** Where `up` keeps the file as it last used it. */
export const usedConfigFile = (data_dir: string): string => join(data_dir, 'gantry.toml.used');

/**
 * For what ends a cloud: a mistake that was written into its file since must not keep it running.
 * @param tell says that the file was not used. @throws ConfigError when nothing else is known.
 */
export function readSettingsToStop(options: CommonOptions, tell: (line: string) => void): Settings {
  try {
    return readSettings(options);
  } catch (error) {
    const used = usedConfigFile(defaultDataDir(options));
    if (!(error instanceof ConfigError) || !existsSync(used)) throw error;
    for (const problem of error.problems) tell(problem);
    tell('the settings of the last `up` are used instead');
    return readSettings({ ...options, config: used });
  }
}

/** An option beats the variable of the same meaning. */
function withoutPlace(env: NodeJS.ProcessEnv, options: CommonOptions): NodeJS.ProcessEnv {
  const copy = { ...env };
  if (options.dataDir !== undefined) delete copy['GANTRY_DATA_DIR'];
  if (options.name !== undefined) delete copy['GANTRY_NAME'];
  return copy;
}

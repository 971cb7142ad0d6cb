/** The one entrance to the configuration. */
export { ConfigError, loadConfig, localUrl, parseConfig } from './load.ts';
export { coreSections } from './schema.ts';
export type { Config } from './schema.ts';
export { describeSettings } from './env.ts';

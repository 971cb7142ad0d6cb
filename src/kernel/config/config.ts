/** The one entrance to the configuration. */
export { ConfigError, loadConfig, parseConfig } from './load.ts';
export type { LoadOptions } from './load.ts';
export { coreSections } from './schema.ts';
export type { Config, CoreSections, Section, Sections } from './schema.ts';
export { describeSettings, variableName } from './env.ts';

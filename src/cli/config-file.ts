import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { allSections, serviceSections } from '../cloud-config.ts';
import { describeSettings, parseConfig } from '../kernel/config/config.ts';
import { lineOf } from '../kernel/config/locate.ts';
import { type Settings, usedConfigFile } from './settings.ts';

/** What `up` was told on its command line and is to be kept. */
export interface Kept {
  cloud?: { name?: string };
  api?: { host?: string; port?: number };
}

/** A first file: every setting is there to be read, as a comment with its default. */
export function template(): string {
  const head = ['# Settings of this cloud. Whatever is a comment here has the default that it shows.', '# A variable GANTRY_<SECTION>_<KEY> in the environment of `gantry up` wins over this file.'];
  const sections = Object.keys(allSections).map((section) => {
    const settings = describeSettings(allSections).filter((setting) => setting.section === section);
    return ['', `[${section}]`, ...settings.flatMap(({ key, default: fallback, description }) => [`# ${description}`, `# ${key} = ${JSON.stringify(fallback)}`])].join('\n');
  });
  return `${[...head, ...sections].join('\n')}\n`;
}

/** Writes the options into the file, which is made if it is not there. Everything else in it stays as it is. */
export function keepOptions(settings: Settings, kept: Kept): void {
  const { config_file } = settings;
  const before = existsSync(config_file) ? readFileSync(config_file, 'utf8') : '';
  let text = before === '' ? setKey(template(), 'cloud', 'name', settings.config.cloud.name) : before;
  for (const [section, values] of Object.entries(kept)) {
    for (const [key, value] of Object.entries(values as object)) if (value !== undefined) text = setKey(text, section, key, value as string | number);
  }
  parseConfig(text, { file: config_file, env: {}, sections: serviceSections });
  if (text !== before) replaceFile(config_file, text);
  replaceFile(usedConfigFile(settings.data_dir), text);
}

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** The TOML text with one key set, the rest of it untouched. */
export function setKey(toml: string, section: string, key: string, value: string | number): string {
  const lines = toml.split('\n');
  const assignment = `${key} = ${typeof value === 'string' ? JSON.stringify(value) : value}`;
  const isTable = (line: number | undefined): line is number => line !== undefined && /^\s*\[/.test(lines[line - 1]!);
  const header = lineOf(toml, section);
  const line = lineOf(toml, section, key);
  if (line !== undefined && !isTable(line)) {
    const before = lines[line - 1]!;
    const comment = /^\s*[\w.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^#"']*?)(\s*#.*)?$/.exec(before)?.[1] ?? '';
    lines[line - 1] = `${before.includes(`${section}.`) ? `${section}.` : ''}${assignment}${comment}`;
    return lines.join('\n');
  }
  if (isTable(header)) return [...lines.slice(0, header), assignment, ...lines.slice(header)].join('\n');
  return `${toml.trimEnd()}\n\n[${section}]\n${assignment}\n`.replace(/^\n+/, '');
}

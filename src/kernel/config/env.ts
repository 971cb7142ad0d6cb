import type { TSchema } from 'typebox';
import { didYouMean } from './suggest.ts';
import type { Section, Sections } from './schema.ts';

/** Short names beside the regular `GANTRY_<SECTION>_<KEY>`. */
const aliases: Record<string, readonly [string, string]> = {
  GANTRY_DATA_DIR: ['cloud', 'data_dir'],
  GANTRY_NAME: ['cloud', 'name'],
  GANTRY_HOST: ['api', 'host'],
  GANTRY_PORT: ['api', 'port'],
};

export interface EnvOverride {
  variable: string;
  section: string;
  key: string;
  value: unknown;
}

export function variableName(section: string, key: string): string {
  return `GANTRY_${section}_${key}`.toUpperCase().replaceAll('-', '_');
}

/** Reads `GANTRY_API_PORT=5001` and the like. Problems are sentences; foreign variables are left alone. */
export function readEnv(env: NodeJS.ProcessEnv, sections: Sections): { overrides: EnvOverride[]; problems: string[] } {
  const places = new Map<string, readonly [string, string]>(Object.entries(aliases));
  for (const [section, schema] of Object.entries(sections)) {
    for (const key of Object.keys(schema.properties)) places.set(variableName(section, key), [section, key]);
  }
  const overrides: EnvOverride[] = [];
  const problems: string[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('GANTRY_') || text === undefined) continue;
    const place = places.get(variable);
    if (place !== undefined) {
      const [section, key] = place;
      overrides.push({ variable, section, key, value: fromText(text, sections[section]!.properties[key] as TSchema) });
    } else if (Object.keys(sections).some((section) => variable.startsWith(variableName(section, '')))) {
      problems.push(`environment variable ${variable}: no such setting${didYouMean(variable, [...places.keys()])}`);
    }
  }
  return { overrides, problems };
}

/** The value that the schema's type suggests; what does not fit stays text and fails the check that follows. */
function fromText(text: string, schema: TSchema): unknown {
  const type = (schema as { type?: string }).type;
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && /^(true|false|1|0|yes|no)$/i.test(text)) return /^(true|1|yes)$/i.test(text);
  if (type === 'array') return text === '' ? [] : text.split(',').map((item) => item.trim());
  return text;
}

/** Every setting with its variable, default and meaning: for the reference page and `--help`. */
export function describeSettings(sections: Sections): { section: string; key: string; variable: string; default: unknown; description: string }[] {
  return Object.entries(sections).flatMap(([section, schema]: [string, Section]) =>
    Object.entries(schema.properties).map(([key, property]) => {
      const { default: fallback, description } = property as { default?: unknown; description?: string };
      return { section, key, variable: variableName(section, key), default: fallback, description: description ?? '' };
    }),
  );
}

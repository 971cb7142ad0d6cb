/** What a server's process is started with, out of metadata and image properties. Pure. */
import { badRequest } from '../../../kernel/fault.ts';

/**
 * The command that replaces the image's own: metadata `docker:cmd` (a JSON array of texts), else the image property
 * `os_command_line` (words as a shell splits them); null: the image's own.
 * @throws Fault 400
 */
export function guestCommand(metadata: Readonly<Record<string, string>>, properties: Readonly<Record<string, string>>): string[] | null {
  const own = metadata['docker:cmd'] ?? properties['docker:cmd'];
  if (own !== undefined) return commandArray(own);
  const line = properties['os_command_line'];
  if (line === undefined || line.trim() === '') return null;
  return shellWords(line);
}

function commandArray(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every((word) => typeof word === 'string')) {
    throw badRequest('compute.command-invalid', 'The metadata "docker:cmd" must be a JSON array of strings, such as ["sleep","60"].');
  }
  return value as string[];
}

/**
 * Splits as a shell does: quotes and backslashes, no expansion.
 * @throws Fault 400 for a quote that is not closed.
 */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quote === "'") {
      if (char === "'") quote = '';
      else word += char;
    } else if (char === '\\' && (quote === '' || '"\\$`'.includes(line[at + 1] ?? ''))) {
      word = (word ?? '') + (line[++at] ?? '\\');
    } else if (quote === '"') {
      if (char === '"') quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') throw badRequest('compute.command-invalid', 'The image property "os_command_line" has a quote that is not closed.');
  if (word !== undefined) words.push(word);
  return words;
}

const ENV_NAME = /^[^=\0]+$/;

/** Metadata `env.NAME`; with the image property `docker:metadata_as_env=all` all other metadata as well. */
export function guestEnvironment(metadata: Readonly<Record<string, string>>, properties: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  const all = properties['docker:metadata_as_env'] === 'all';
  for (const [name, value] of Object.entries(metadata)) {
    if (name.startsWith('env.') && ENV_NAME.test(name.slice(4))) out[name.slice(4)] = value;
    else if (all && !name.startsWith('docker:') && ENV_NAME.test(name)) out[name] = value;
  }
  return out;
}

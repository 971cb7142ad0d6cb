/** What a server's process is started with, out of metadata and image properties. Pure. */
import { badRequest } from '../../../kernel/fault.ts';
import { blameImage, type WordsOf } from './guest-words.ts';
import { wordArray } from './word-values.ts';

type Words = Readonly<Record<string, string>>;

/**
 * The command that replaces the image's own: metadata `docker:cmd` (a JSON array of texts), else the image property
 * `os_command_line` (words as a shell splits them); null: the image's own.
 * @throws Fault 400
 */
export function guestCommand(metadata: Words, { image_id, properties }: Pick<WordsOf, 'image_id' | 'properties'>): string[] | null {
  if (metadata['docker:cmd'] !== undefined) return wordArray(metadata['docker:cmd'], 'docker:cmd');
  return blameImage(image_id, () => {
    const own = properties['docker:cmd'];
    if (own !== undefined) return wordArray(own, 'docker:cmd');
    const line = properties['os_command_line'];
    return line === undefined || line.trim() === '' ? null : shellWords(line);
  });
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

/** Metadata `env.NAME`, before those that the image's properties `docker:env.NAME` add; with the image property `docker:metadata_as_env=all` all other metadata as well. */
export function guestEnvironment(metadata: Readonly<Record<string, string>>, properties: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  const all = properties['docker:metadata_as_env'] === 'all';
  for (const [name, value] of Object.entries(properties)) if (name.startsWith('docker:env.') && ENV_NAME.test(name.slice(11))) out[name.slice(11)] = value;
  for (const [name, value] of Object.entries(metadata)) {
    if (name.startsWith('env.') && ENV_NAME.test(name.slice(4))) out[name.slice(4)] = value;
    else if (all && !/^(docker:|label\.)/.test(name) && ENV_NAME.test(name)) out[name] = value;
  }
  return out;
}

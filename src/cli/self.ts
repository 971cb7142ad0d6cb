import { join, relative } from 'node:path';
import { defaultDataDir } from './settings.ts';
import type { Settings } from './settings.ts';

/** How the user calls this program for this cloud: `./gantry env --data-dir /srv/cloud`. */
export function selfCommand(settings: Settings, ...words: string[]): string {
  const launcher = process.env['GANTRY_LAUNCHER'] ?? join(settings.checkout, 'gantry');
  const near = relative(process.cwd(), launcher);
  const program = near === 'gantry' ? './gantry' : launcher;
  const place = settings.data_dir === defaultDataDir({}) ? [] : ['--data-dir', settings.data_dir];
  return [program, ...words, ...place].map(quote).join(' ');
}

/** A piece of advice like `./gantry logs agent`, made to fit this cloud. */
export function advice(settings: Settings, text: string): string {
  const [, words, rest] = /^\.\/gantry ([\w -]+?)(,.*| {3}.*)?$/.exec(text) ?? [];
  return words === undefined ? text : `${selfCommand(settings, ...words.split(' '))}${rest ?? ''}`;
}

/** A word as a POSIX shell reads it back. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

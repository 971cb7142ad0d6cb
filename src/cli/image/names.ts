/** Names of images in docker's words: `[path/]name[:tag]`. */
import { CliError } from '../errors.ts';

export interface Reference {
  name: string;
  tag: string;
}

const PART = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*';
const REFERENCE = new RegExp(`^(${PART}(?:/${PART})*)(?::([\\w][\\w.-]{0,127}))?$`);

/** Without a tag, `latest` is meant. @throws CliError */
export function parseReference(text: string): Reference {
  const match = REFERENCE.exec(text);
  if (match === null || match[1]!.length > 200) {
    throw new CliError('GY-IMAGE-003', `${JSON.stringify(text)} is no name of an image`, { next: 'lower-case letters, digits and separators, then :tag – for instance team/web:1.2' });
  }
  return { name: match[1]!, tag: match[2] ?? 'latest' };
}

export const referenceText = ({ name, tag }: Reference): string => `${name}:${tag}`;

/** `1.5 GiB` */
export function byteText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `512m`, `2g`, or bytes. @throws CliError */
export function parseBytes(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match === null ? NaN : Math.round(Number(match[1]) * 1024 ** 'bkmgt'.indexOf((match[2] || 'b').toLowerCase()));
  if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new CliError('GY-IMAGE-004', `${option} ${text} is no amount`, { next: `${option} 2g` });
  return bytes;
}

/** Which attributes an image has and who may write them (glance `api/v2/images.py`). */
import { badRequest, forbidden, tooLarge } from '../../../kernel/fault.ts';
import type { ImageConfig } from '../config.ts';
import { readOnly, reserved } from '../faults.ts';
import type { ImageRow, Visibility } from '../store/tables.ts';

export const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'];
export const DISK_FORMATS = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'ploop', 'iso'];
export const VISIBILITIES: Visibility[] = ['public', 'private', 'shared', 'community'];

const READ_ONLY = new Set([
  'created_at', 'updated_at', 'status', 'checksum', 'size', 'virtual_size', 'direct_url', 'self', 'file', 'schema', 'id',
  'os_hash_algo', 'os_hash_value',
]);
const RESERVED = new Set(['location', 'deleted', 'deleted_at', 'stores']);
/** Attributes with a column of their own that a user may write. */
const BASE = new Set(['name', 'visibility', 'owner', 'container_format', 'disk_format', 'min_disk', 'min_ram', 'protected', 'os_hidden', 'tags', 'locations']);

export const isBase = (name: string): boolean => BASE.has(name);

/** Faults: 403 for what only the service writes. */
export function checkWritable(name: string): void {
  if (READ_ONLY.has(name)) throw readOnly(name);
  if (RESERVED.has(name) || name.startsWith('os_glance') || name.startsWith('gantry_conversion')) throw reserved(name);
  if (name === 'locations') throw forbidden('image.locations', 'It is not allowed to set the locations of an image.');
}

/** Writes one attribute or property onto the row; the value must fit what the attribute is. Faults: 400. */
export function setAttribute(row: ImageRow, name: string, value: unknown): void {
  switch (name) {
    case 'name':
      row.name = value === null ? null : text(name, value, 255);
      return;
    case 'owner':
      row.owner = text(name, value, 255);
      return;
    case 'visibility':
      row.visibility = choice(name, value, VISIBILITIES) as Visibility;
      return;
    case 'container_format':
    case 'disk_format':
      setFormat(row, name, value);
      return;
    case 'min_disk':
    case 'min_ram':
      row[name] = wholeNumber(name, value);
      return;
    case 'protected':
    case 'os_hidden':
      if (typeof value !== 'boolean') throw invalid(name, value, 'is not a boolean');
      row[name] = value ? 1 : 0;
      return;
    case 'tags':
      row.tags = JSON.stringify(tagList(value));
      return;
    default:
      setProperty(row, name, value);
  }
}

function setFormat(row: ImageRow, name: 'container_format' | 'disk_format', value: unknown): void {
  const allowed = name === 'container_format' ? CONTAINER_FORMATS : DISK_FORMATS;
  const next = value === null ? null : choice(name, value, allowed);
  if (next !== row[name] && row.status !== 'queued') {
    throw forbidden('image.format-fixed', `Attribute ${name} can be only replaced for a queued image.`);
  }
  row[name] = next;
}

function setProperty(row: ImageRow, name: string, value: unknown): void {
  if (name === '' || name.length > 255) throw badRequest('image.property-name', `Property name ${name.slice(0, 40)} must have 1 to 255 characters.`);
  const properties = Object.entries(JSON.parse(row.properties) as Record<string, string>).filter(([other]) => other !== name);
  // fromEntries takes __proto__ for a name like any other
  row.properties = JSON.stringify(Object.fromEntries([...properties, [name, text(name, value, 65_535)]]));
}

/** Faults: 413 over the limits of properties and tags. */
export function checkLimits(row: ImageRow, config: ImageConfig): void {
  const properties = Object.keys(JSON.parse(row.properties) as object).length;
  if (properties > config.max_properties) throw tooLarge('image.properties-limit', `The limit has been exceeded on the number of allowed image properties. Attempted: ${properties}, Maximum: ${config.max_properties}`);
  const tags = (JSON.parse(row.tags) as string[]).length;
  if (tags > config.max_tags) throw tooLarge('image.tags-limit', `The limit has been exceeded on the number of allowed image tags. Attempted: ${tags}, Maximum: ${config.max_tags}`);
}

const invalid = (name: string, value: unknown, why: string) =>
  badRequest('image.attribute-invalid', `Provided object does not match schema 'image': ${JSON.stringify(value)?.slice(0, 100)} ${why}: ${name}`);

function text(name: string, value: unknown, most: number): string {
  if (typeof value !== 'string') throw invalid(name, value, 'is not of type string');
  if (value.length > most) throw invalid(name, value, `is longer than ${most} characters`);
  if (value.includes('\u0000')) throw invalid(name, value, 'holds a null character');
  return value;
}

function choice(name: string, value: unknown, allowed: readonly string[]): string {
  if (typeof value !== 'string' || !allowed.includes(value)) throw invalid(name, value, `is not one of ${allowed.join(', ')}`);
  return value;
}

function wholeNumber(name: string, value: unknown): number {
  if (!Number.isInteger(value)) throw invalid(name, value, 'is not of type integer');
  if ((value as number) < 0 || (value as number) > 2_147_483_647) throw invalid(name, value, 'is out of range');
  return value as number;
}

function tagList(value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid('tags', value, 'is not of type array');
  return [...new Set(value.map((tag) => text('tags', tag, 255)))].sort();
}

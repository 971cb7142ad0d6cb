/** User data taken apart: gzip and MIME off, each part by its kind. Pure. */
import { gunzipSync } from 'node:zlib';

export interface UserDataPart {
  kind: 'script' | 'boothook' | 'cloud-config' | 'unknown';
  body: Buffer;
  /** What it called itself, for messages. */
  name: string;
}

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_PARTS = 64;

/** By the first line, as cloud-init tells them apart. */
const STARTS: readonly [start: string, kind: UserDataPart['kind']][] = [['#!', 'script'], ['#cloud-config', 'cloud-config'], ['#cloud-boothook', 'boothook']];
const TYPES: Readonly<Record<string, UserDataPart['kind']>> = { 'text/x-shellscript': 'script', 'text/cloud-config': 'cloud-config', 'text/cloud-boothook': 'boothook' };

/** @throws Error for a gzip stream that is none, or too much of it. */
export function userDataParts(data: Buffer, depth = 0): UserDataPart[] {
  const plain = isGzip(data) ? gunzipSync(data, { maxOutputLength: MOST_BYTES }) : data;
  if (plain.toString('latin1').trim() === '') return [];
  const head = headersOf(plain);
  if (head !== undefined && depth < 3 && head.type.startsWith('multipart/')) return multipart(head, depth).slice(0, MOST_PARTS);
  return [onePart(plain, '')];
}

const isGzip = (data: Buffer): boolean => data[0] === 0x1f && data[1] === 0x8b;

function onePart(body: Buffer, type: string): UserDataPart {
  const start = body.subarray(0, 32).toString('latin1').trimStart();
  const kind = STARTS.find(([text]) => start.startsWith(text))?.[1] ?? TYPES[type] ?? 'unknown';
  return { kind, body, name: type === '' ? (start.split('\n')[0] ?? '').trim() : type };
}

interface Headed {
  type: string;
  boundary: string;
  encoding: string;
  body: Buffer;
}

/** Undefined for what has no MIME header. */
function headersOf(data: Buffer): Headed | undefined {
  const text = data.toString('latin1');
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null || !/^(content-type|mime-version|from |subject|content-)/i.test(text)) return undefined;
  const header = text.slice(0, end.index).replaceAll(/\r?\n[ \t]+/g, ' ');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(header)?.[1]?.trim() ?? '';
  const type = field('content-type');
  return {
    type: type.split(';')[0]!.trim().toLowerCase(),
    boundary: /boundary="?([^";]+)"?/i.exec(type)?.[1] ?? '',
    encoding: field('content-transfer-encoding').toLowerCase(),
    body: data.subarray(end.index + end[0].length),
  };
}

function multipart({ boundary, body }: Headed, depth: number): UserDataPart[] {
  if (boundary === '') return [];
  const pieces = `\n${body.toString('latin1').replaceAll('\r\n', '\n')}`.split(`\n--${boundary}`).slice(1);
  return pieces.filter((piece) => !piece.startsWith('--')).flatMap((piece) => {
    const raw = Buffer.from(piece.replace(/^[ \t]*\n/, ''), 'latin1');
    const part = headersOf(raw);
    if (part === undefined) return [onePart(raw, '')];
    if (part.type.startsWith('multipart/')) return depth < 3 ? multipart(part, depth + 1) : [];
    const decoded = decode(part);
    return isGzip(decoded) ? userDataParts(decoded, depth + 1) : [onePart(decoded, part.type)];
  });
}

function decode({ encoding, body }: Headed): Buffer {
  if (encoding === 'base64') return Buffer.from(body.toString('latin1'), 'base64');
  if (encoding !== 'quoted-printable') return body;
  const text = body.toString('latin1').replaceAll(/=\n/g, '');
  return Buffer.from(text.replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1');
}

/** Just enough of the tar format (POSIX ustar, pax and GNU long names) to read and write archives as streams. */

export const BLOCK = 512;
const MAX_EXTENDED_BYTES = 1024 * 1024;
const MAX_OCTAL_SIZE = 0o77777777777;

export class TarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TarError';
  }
}

export interface TarEntry {
  /** As written, long names resolved. */
  name: string;
  /** ustar's letter: `0` file, `1` hard link, `2` symbolic link, `5` directory … */
  type: string;
  size: number;
  link: string;
  /** Its headers as they came, extended ones before. */
  headers: Buffer[];
  /** Its own pax records, as text. */
  pax: Record<string, string>;
}

/** Exact reads from a source of chunks of any size. */
export interface ByteReader {
  /** `size` bytes; undefined at a clean end; TarError when the source ends in between. */
  read(size: number): Promise<Buffer | undefined>;
  /** The next `size` bytes as they come. */
  pass(size: number): AsyncGenerator<Buffer>;
  /** Everything up to the end of the source. */
  rest(): AsyncGenerator<Buffer>;
  /** The same, thrown away. */
  drain(): Promise<void>;
}

export function createByteReader(source: AsyncIterable<Buffer>): ByteReader {
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    while (held.length === 0) {
      const next = await chunks.next();
      if (next.done === true) return false;
      held = next.value;
    }
    return true;
  }

  async function* pass(size: number): AsyncGenerator<Buffer> {
    let left = size;
    while (left > 0) {
      if (!(await more())) throw new TarError('it ends in the middle of an entry');
      const part = held.subarray(0, left);
      held = held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  return {
    pass,
    async read(size) {
      if (size === 0) return Buffer.alloc(0);
      if (!(await more())) return undefined;
      const parts: Buffer[] = [];
      for await (const part of pass(size)) parts.push(part);
      return parts.length === 1 ? parts[0] : Buffer.concat(parts);
    },
    async *rest() {
      while (await more()) {
        const part = held;
        held = Buffer.alloc(0);
        yield part;
      }
    },
    async drain() {
      while (await more()) held = Buffer.alloc(0);
    },
  };
}

export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** The next entry, its content not yet read; undefined at the end of the archive. */
export async function readEntry(reader: Pick<ByteReader, 'read'>): Promise<TarEntry | undefined> {
  let extended = '';
  let longName: string | undefined;
  let longLink: string | undefined;
  let pax: Record<string, string> = {};
  const headers: Buffer[] = [];
  for (;;) {
    const header = await reader.read(BLOCK);
    if (header === undefined || isZero(header)) {
      if (extended !== '') throw new TarError('it ends after an extended header');
      return undefined;
    }
    checkSum(header);
    headers.push(header);
    const type = header[156] === 0 ? '0' : String.fromCharCode(header[156]!);
    const size = numberField(header, 124, 12);
    if (!'xgLK'.includes(type)) {
      return {
        name: pax['path'] || longName || plainName(header),
        type,
        size: pax['size'] ? paxSize(pax['size']) : size,
        link: pax['linkpath'] || longLink || textField(header, 157, 100),
        headers,
        pax,
      };
    }
    if (size > MAX_EXTENDED_BYTES) throw new TarError('an extended header is too large');
    const content = await readContent(reader, size);
    headers.push(content, Buffer.alloc(paddingOf(size)));
    // A global header speaks of the archive as a whole; nothing in an image depends on one.
    if (type === 'g') continue;
    if (extended.includes(type)) throw new TarError('an extended header occurs twice');
    extended += type;
    if (type === 'x') pax = parsePax(content);
    else if (type === 'L') longName = untilZero(content);
    else longLink = untilZero(content);
  }
}

/** The whole content of an entry, padding skipped. */
export async function readContent(reader: Pick<ByteReader, 'read'>, size: number): Promise<Buffer> {
  const content = await reader.read(size);
  if (content === undefined) throw new TarError('it ends in the middle of an entry');
  const copy = Buffer.from(content);
  const padding = paddingOf(size);
  if (padding > 0 && (await reader.read(padding)) === undefined) throw new TarError('it ends in the middle of an entry');
  return copy;
}

/** An entry's headers without the pax records of these names; values may be any bytes. */
export function withoutRecords({ headers }: Pick<TarEntry, 'headers'>, isUnwanted: (name: string) => boolean): Buffer[] {
  const at = headers.findIndex((header) => header.length === BLOCK && String.fromCharCode(header[156]!) === 'x');
  if (at < 0) return headers;
  const kept = recordsOf(headers[at + 1]!).filter(({ name }) => !isUnwanted(name)).map(({ bytes }) => bytes);
  const pax = Buffer.concat(kept);
  const rest = headers.slice(at + 3);
  return pax.length === 0 ? [...headers.slice(0, at), ...rest] : [...headers.slice(0, at), ustarHeader(Buffer.from('pax'), 'x', pax.length, {}), pax, Buffer.alloc(paddingOf(pax.length)), ...rest];
}

export interface NewEntry {
  name: string;
  type?: '0' | '2' | '5';
  content?: Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  link?: string;
}

/** Header, content and padding of one entry. */
export function writeEntry(entry: NewEntry): Buffer {
  const content = entry.content ?? Buffer.alloc(0);
  return Buffer.concat([writeHeader(entry, content.length), content, Buffer.alloc(paddingOf(content.length))]);
}

/** The header alone, for a content of `size` bytes; what does not fit into ustar's fields goes into a pax header before it. */
export function writeHeader(entry: Omit<NewEntry, 'content'>, size: number): Buffer {
  const name = Buffer.from(entry.name, 'utf8');
  const link = Buffer.from(entry.link ?? '', 'utf8');
  const records = [
    ...(name.length > 100 ? [paxRecord('path', entry.name)] : []),
    ...(link.length > 100 ? [paxRecord('linkpath', entry.link ?? '')] : []),
    ...(size > MAX_OCTAL_SIZE ? [paxRecord('size', String(size))] : []),
  ];
  const header = ustarHeader(name.subarray(0, 100), entry.type ?? '0', Math.min(size, MAX_OCTAL_SIZE), entry);
  if (records.length === 0) return header;
  const pax = Buffer.from(records.join(''), 'utf8');
  return Buffer.concat([ustarHeader(Buffer.from('pax'), 'x', pax.length, {}), pax, Buffer.alloc(paddingOf(pax.length)), header]);
}

export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function ustarHeader(name: Buffer, type: string, size: number, entry: Omit<NewEntry, 'name' | 'content' | 'type'>): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  };
  name.copy(header, 0);
  octal(entry.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  header.write(' '.repeat(8), 148, 'latin1');
  header.write(type, 156, 'latin1');
  if (entry.link !== undefined) Buffer.from(entry.link, 'utf8').copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** `<length> key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let total = rest + String(rest).length;
  if (String(total).length !== String(rest).length) total = rest + String(total).length;
  return `${total} ${key}=${value}\n`;
}

function parsePax(content: Buffer): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { name, value } of recordsOf(content)) out[name] = value;
  return out;
}

function recordsOf(content: Buffer): { name: string; value: string; bytes: Buffer }[] {
  const out: { name: string; value: string; bytes: Buffer }[] = [];
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.subarray(at, space < 0 ? at : space).toString('latin1'));
    if (space < 0 || !Number.isInteger(length) || length < 5 || at + length > content.length) throw new TarError('a pax header is broken');
    const record = content.subarray(space + 1, at + length - 1).toString('utf8');
    const equals = record.indexOf('=');
    if (equals < 1) throw new TarError('a pax header is broken');
    out.push({ name: record.slice(0, equals), value: record.slice(equals + 1), bytes: content.subarray(at, at + length) });
    at += length;
  }
  return out;
}

function paxSize(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new TarError('a size is broken');
  return Number(text);
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function checkSum(header: Buffer): void {
  let sum = 0;
  for (let i = 0; i < BLOCK; i += 1) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  const stored = header.subarray(148, 156).toString('latin1').replaceAll('\0', ' ').trim();
  if (!/^[0-7]+$/.test(stored) || Number.parseInt(stored, 8) !== sum) throw new TarError('it is not a tar archive, or is damaged');
}

function numberField(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if ((field[0]! & 0x80) !== 0) {
    let value = BigInt(field[0]! & 0x7f);
    for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TarError('a size is broken');
    return Number(value);
  }
  const text = field.toString('latin1').replaceAll('\0', ' ').trim();
  if (!/^[0-7]*$/.test(text)) throw new TarError('a number in a header is broken');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function textField(header: Buffer, at: number, length: number): string {
  return untilZero(header.subarray(at, at + length));
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
}

function plainName(header: Buffer): string {
  const name = textField(header, 0, 100);
  const ustar = header.subarray(257, 263).toString('latin1') === 'ustar\0';
  const prefix = ustar ? textField(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

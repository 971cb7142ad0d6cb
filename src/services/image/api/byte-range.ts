import { Fault } from '../../../kernel/fault.ts';

/** One range; several at once are not served. Faults: 416. */
export function readRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (!match || (match[1] === '' && match[2] === '')) throw rangeFault(header, size);
  const suffix = match[1] === '';
  const start = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = suffix || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start > end) throw rangeFault(header, size);
  return { start, end };
}

const rangeFault = (header: string, size: number): Fault =>
  new Fault(416, 'image.range', `Invalid range ${header} for an image of ${size} bytes.`, { headers: { 'content-range': `bytes */${size}` } });

// Nova leaves line feeds and tabs and drops the other control characters.
const CONTROL = /[\x00-\x08\x0b-\x1f]/g;

/**
 * The end of a log as nova counts it (`compute/manager.py` `_tail_log`): the empty text behind the last line feed is a line too.
 * @param lines undefined: all of it.
 */
export function tailLog(text: string, lines: number | undefined): string {
  const clean = text.replaceAll(CONTROL, '');
  if (lines === undefined) return clean;
  return lines === 0 ? '' : clean.split('\n').slice(-lines).join('\n');
}

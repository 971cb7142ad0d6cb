import type { Engine } from './engine.ts';
import { createFrameReader, createTail } from './frames.ts';

export const CONSOLE_BYTES = 1024 * 1024;
const TIMEOUT_MS = 20_000;

/** What the guest wrote to stdout and stderr: the last `lines`, and of them at most the last `limit` bytes. */
export async function readConsole(engine: Engine, containerId: string, lines: number | undefined, { tty = false, limit = CONSOLE_BYTES }: { tty?: boolean; limit?: number } = {}): Promise<string> {
  if (lines !== undefined && lines <= 0) return '';
  const query = { stdout: 1, stderr: 1, follow: 0, tail: lines ?? 'all' };
  const reply = await engine.stream('GET', `/containers/${containerId}/logs`, { query, timeout_ms: TIMEOUT_MS });
  // A terminal's output comes as it is.
  const frames = tty ? { push: (chunk: Buffer) => [chunk] } : createFrameReader();
  const tail = createTail(limit);
  for await (const chunk of reply) {
    for (const payload of frames.push(chunk as Buffer)) tail.push(payload);
  }
  return tty ? tail.text().replaceAll('\r\n', '\n') : tail.text();
}

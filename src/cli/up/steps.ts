import { setTimeout as delay } from 'node:timers/promises';
import { paint, seconds } from '../output.ts';
import type { Output } from '../output.ts';
import { CliError } from '../errors.ts';
import type { Step, UpContext } from './context.ts';

/** Shows the steps as they go: a line each, or one JSON object a line. */
export interface Progress {
  begin(step: Step): void;
  say(text: string): void;
  done(step: Step, milliseconds: number, detail: string | undefined): void;
  failed(step: Step, milliseconds: number): void;
}

export function createProgress(output: Output, json: boolean): Progress {
  const event = (fields: object): void => output.print(JSON.stringify({ time: new Date().toISOString(), ...fields }));
  if (json) {
    return {
      begin: (step) => event({ event: 'step', step: step.name, state: 'started', title: step.title }),
      say: (text) => event({ event: 'note', text }),
      done: (step, ms, detail) => event({ event: 'step', step: step.name, state: 'done', milliseconds: Math.round(ms), detail }),
      failed: (step, ms) => event({ event: 'step', step: step.name, state: 'failed', milliseconds: Math.round(ms) }),
    };
  }
  const erase = output.tty ? '\r\u001b[K' : '';
  const line = (mark: string, step: Step, ms: number, detail?: string): void =>
    output.note(`${erase}${mark} ${step.title.padEnd(22)} ${seconds(ms).padStart(8)}${detail === undefined ? '' : `  ${paint(output, 'dim', detail)}`}`);
  return {
    begin: (step) => { if (output.tty) process.stderr.write(`${erase}· ${step.title} …`); },
    say: (text) => output.note(`${erase}  ${text}`),
    done: (step, ms, detail) => line(paint(output, 'green', '✔'), step, ms, detail),
    failed: (step, ms) => line(paint(output, 'red', '✖'), step, ms),
  };
}

/** Runs the steps in order; the first that fails undoes what this run started and passes its error on. */
export async function runSteps(steps: readonly Step[], context: UpContext, progress: Progress): Promise<void> {
  for (const step of steps) {
    const begun = performance.now();
    progress.begin(step);
    const work = Promise.resolve().then(() => step.run(context));
    try {
      const detail = await abortable(work, context.signal);
      progress.done(step, performance.now() - begun, detail);
    } catch (error) {
      progress.failed(step, performance.now() - begun);
      // what it is just starting has to be there to be undone
      if (context.signal.aborted) await Promise.race([work.catch(() => {}), delay(LINGER_MS)]);
      await rollBack(context, progress);
      throw error;
    }
  }
}

/** Ctrl-C does not wait for a step that hangs, but for this long. */
const LINGER_MS = 3_000;

async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = (): CliError => new CliError('GY-UP-INTERRUPTED', 'interrupted', { next: './gantry up' });
  if (signal.aborted) throw interrupted();
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(interrupted());
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}

async function rollBack(context: UpContext, progress: Progress): Promise<void> {
  for (const { what, run } of context.undo.splice(0).reverse()) {
    try {
      await run();
      progress.say(`rolled back: ${what}`);
    } catch (error) {
      progress.say(`could not roll back ${what}: ${(error as Error).message}`);
    }
  }
}

/** The engine's events of this cloud's containers, over restarts of the engine. */
import type { Readable } from 'node:stream';
import type { Log } from '../../../../kernel/log/log.ts';
import { CLOUD_LABEL } from './container-config.ts';
import type { Engine } from './engine.ts';
import type { EngineEvent } from './engine-types.ts';

export interface EventsOptions {
  engine: Engine;
  cloud: string;
  log: Log;
  onEvent(event: EngineEvent): void;
  /** After a gap in the stream: events may have been lost. */
  onResume(): void;
}

export interface Events {
  /** Resolves when the engine listens to us for the first time. */
  ready: Promise<void>;
  close(): void;
}

const ACTIONS = ['start', 'die', 'oom', 'pause', 'unpause', 'destroy', 'health_status'];
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

export function watchEvents(options: EventsOptions): Events {
  const { engine, cloud, log } = options;
  const ready = Promise.withResolvers<void>();
  const stop = new AbortController();
  let lastNano = 0;
  let connected = false;

  async function listen(): Promise<void> {
    const filters = JSON.stringify({ type: ['container'], label: [`${CLOUD_LABEL}=${cloud}`], event: ACTIONS });
    const since = lastNano === 0 ? {} : { since: (lastNano / 1e9).toFixed(6) };
    const stream = await engine.stream('GET', '/events', { query: { filters, ...since }, timeout_ms: 0 });
    const abort = (): void => void stream.destroy();
    if (stop.signal.aborted) abort();
    stop.signal.addEventListener('abort', abort);
    if (connected) options.onResume();
    connected = true;
    ready.resolve();
    try {
      for await (const line of linesOf(stream)) take(line);
    } finally {
      stop.signal.removeEventListener('abort', abort);
    }
  }

  function take(line: string): void {
    if (line.trim() === '') return;
    const event = JSON.parse(line) as EngineEvent;
    lastNano = Math.max(lastNano, event.timeNano);
    options.onEvent(event);
  }

  async function keepListening(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!stop.signal.aborted) {
      const began = performance.now();
      try {
        await listen();
      } catch (error) {
        if (!stop.signal.aborted) log.warn({ err: error }, 'lost the events of the Docker engine');
      }
      if (stop.signal.aborted) break;
      if (performance.now() - began > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
      await interruptible(pause, stop.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  void keepListening();
  return {
    ready: ready.promise,
    close() {
      stop.abort();
      ready.resolve();
    },
  };
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    text += chunk as string;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    yield* lines;
  }
}

async function interruptible(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Log } from '../../../../kernel/log/log.ts';

/** A command of the kernel's tools failed: what was asked and what the tool said. */
export class KernelError extends Error {
  readonly command: string;
  readonly output: string;

  constructor(command: string, output: string) {
    super(`${command}: ${output}`);
    this.name = 'KernelError';
    this.command = command;
    this.output = output;
  }
}

export interface HelperOptions {
  name: string;
  argv: string[];
  /** Sent after every request; makes the helper print something that `done` matches. */
  sync: string;
  /** Matches at the end of the output once the request has been carried out. */
  done: RegExp;
  timeout_ms: number;
  log: Log;
}

interface Request {
  /** Undefined: a change of process. */
  input: string | undefined;
  resolve(output: string): void;
  reject(error: Error): void;
}

export interface Helper {
  /** Carries out one request after the other. @returns all that the helper printed for it, sync answer included. */
  request(input: string): Promise<string>;
  /** Process id while it runs. */
  pid(): number | undefined;
  /** Ends the process at once, its request fails; the next request starts a new one. */
  restart(): void;
  /** The next request that is not under way yet goes to a new process. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A long-lived co-process that is fed by a pipe: a started program per command would cost 8-13 ms, a line
 * to a running one 0.2 ms. It is started on first use and again after it died; a request that takes longer
 * than `timeout_ms` kills it and fails.
 */
export function createHelper(options: HelperOptions): Helper {
  const queue: Request[] = [];
  let child: ChildProcessWithoutNullStreams | undefined;
  let current: Request | undefined;
  let output = '';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function settle(error: Error | undefined): void {
    const request = current;
    if (request === undefined) return;
    clearTimeout(timer);
    current = undefined;
    if (error === undefined) request.resolve(output);
    else request.reject(error);
    next();
  }

  function start(): ChildProcessWithoutNullStreams {
    const started = spawn('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', ...options.argv], { detached: true, env: { ...process.env, LC_ALL: 'C' } });
    started.stdout.setEncoding('utf8');
    started.stdout.on('data', (text: string) => {
      if (started !== child) return;
      output += text;
      if (current !== undefined && options.done.test(output.slice(-400))) settle(undefined);
    });
    started.stdin.on('error', () => {});
    started.stderr.resume();
    started.on('error', (error) => ended(started, error.message));
    started.on('close', (code, signal) => ended(started, `ended with ${signal ?? code}`));
    return started;
  }

  function ended(which: ChildProcessWithoutNullStreams, how: string): void {
    if (which !== child) return;
    child = undefined;
    if (!closed) options.log.warn({ helper: options.name, how, output: output.slice(-500) }, 'network helper ended');
    settle(new KernelError(options.name, `${output.slice(0, 2000).trim() || 'no output'} (${how})`));
  }

  function kill(): void {
    const victim = child;
    child = undefined;
    if (victim?.pid === undefined) return;
    try {
      process.kill(-victim.pid, 'SIGKILL');
    } catch {
      victim.kill('SIGKILL');
    }
  }

  function next(): void {
    if (current !== undefined) return;
    const request = queue.shift();
    if (request === undefined) return;
    if (request.input === undefined) {
      child?.stdin.end();
      child = undefined;
      request.resolve('');
      next();
      return;
    }
    current = request;
    output = '';
    child ??= start();
    timer = setTimeout(() => {
      kill();
      settle(new KernelError(options.name, `no answer within ${options.timeout_ms} ms: ${output.slice(0, 500).trim()}`));
    }, options.timeout_ms);
    child.stdin.write(`${request.input}\n${options.sync}\n`);
  }

  return {
    request(input) {
      if (closed) return Promise.reject(new KernelError(options.name, 'the network driver is closed'));
      return new Promise((resolve, reject) => {
        queue.push({ input, resolve, reject });
        next();
      });
    },
    pid: () => child?.pid,
    restart() {
      kill();
      settle(new KernelError(options.name, 'restarted'));
    },
    async refresh() {
      await new Promise<string>((resolve, reject) => {
        queue.unshift({ input: undefined, resolve, reject });
        next();
      });
    },
    async close() {
      closed = true;
      for (const request of queue.splice(0)) request.reject(new KernelError(options.name, 'the network driver is closed'));
      const last = child;
      if (last === undefined) return;
      const gone = new Promise<void>((resolve) => last.once('close', () => resolve()));
      last.stdin.end();
      const late = setTimeout(kill, 2000);
      await gone;
      clearTimeout(late);
    },
  };
}

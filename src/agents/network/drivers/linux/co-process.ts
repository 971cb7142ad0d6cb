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

export interface CoProcessOptions {
  name: string;
  argv: string[];
  /** Sent after every request; makes the tool print something that `done` matches. */
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

export interface CoProcess {
  /** Carries out one request after the other. @returns all that the tool printed for it, sync answer included. */
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
export function createCoProcess(options: CoProcessOptions): CoProcess {
  return new CoProcessRunner(options);
}

class CoProcessRunner implements CoProcess {
  readonly #options: CoProcessOptions;
  readonly #queue: Request[] = [];
  #child: ChildProcessWithoutNullStreams | undefined;
  #current: Request | undefined;
  #output = '';
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: CoProcessOptions) {
    this.#options = options;
  }

  pid(): number | undefined {
    return this.#child?.pid;
  }

  request(input: string): Promise<string> {
    if (this.#closed) return Promise.reject(this.#fault('the network driver is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, resolve, reject });
      this.#next();
    });
  }

  restart(): void {
    this.#kill();
    this.#settle(this.#fault('restarted'));
  }

  async refresh(): Promise<void> {
    await new Promise<string>((resolve, reject) => {
      this.#queue.unshift({ input: undefined, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const request of this.#queue.splice(0)) request.reject(this.#fault('the network driver is closed'));
    const last = this.#child;
    if (last === undefined) return;
    const gone = new Promise<void>((resolve) => last.once('close', () => resolve()));
    last.stdin.end();
    const late = setTimeout(() => this.#kill(), 2000);
    await gone;
    clearTimeout(late);
  }

  #fault(text: string): KernelError {
    return new KernelError(this.#options.name, text);
  }

  #settle(error: Error | undefined): void {
    const request = this.#current;
    if (request === undefined) return;
    clearTimeout(this.#timer);
    this.#current = undefined;
    if (error === undefined) request.resolve(this.#output);
    else request.reject(error);
    this.#next();
  }

  #start(): ChildProcessWithoutNullStreams {
    // nft -i keeps what it was told in a file of its user's home, unless there is none
    const argv = ['-c', 'exec "$@" 2>&1', 'sh', ...this.#options.argv];
    const started = spawn('/bin/sh', argv, { detached: true, env: { ...process.env, LC_ALL: 'C', HOME: '/dev/null', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` } });
    started.stdout.setEncoding('utf8');
    started.stdout.on('data', (text: string) => {
      if (started !== this.#child) return;
      this.#output += text;
      if (this.#current !== undefined && this.#options.done.test(this.#output.slice(-400))) this.#settle(undefined);
    });
    started.stdin.on('error', () => {});
    started.stderr.resume();
    started.on('error', (error) => this.#ended(started, error.message));
    started.on('close', (code, signal) => this.#ended(started, `ended with ${signal ?? code}`));
    return started;
  }

  #ended(which: ChildProcessWithoutNullStreams, how: string): void {
    if (which !== this.#child) return;
    this.#child = undefined;
    const { log, name } = this.#options;
    if (!this.#closed) log.warn({ tool: name, how, output: this.#output.slice(-500) }, 'network tool ended');
    this.#settle(this.#fault(`${this.#output.slice(0, 2000).trim() || 'no output'} (${how})`));
  }

  #kill(): void {
    const victim = this.#child;
    this.#child = undefined;
    if (victim?.pid === undefined) return;
    try {
      process.kill(-victim.pid, 'SIGKILL');
    } catch {
      victim.kill('SIGKILL');
    }
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const request = this.#queue.shift();
    if (request === undefined) return;
    if (request.input === undefined) {
      this.#child?.stdin.end();
      this.#child = undefined;
      request.resolve('');
      this.#next();
      return;
    }
    this.#current = request;
    this.#output = '';
    this.#child ??= this.#start();
    this.#timer = setTimeout(() => this.#late(), this.#options.timeout_ms);
    this.#child.stdin.write(`${request.input}\n${this.#options.sync}\n`);
  }

  #late(): void {
    this.#kill();
    this.#settle(this.#fault(`no answer within ${this.#options.timeout_ms} ms: ${this.#output.slice(0, 500).trim()}`));
  }
}

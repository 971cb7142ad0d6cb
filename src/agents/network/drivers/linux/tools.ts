import type { Log } from '../../../../kernel/log/log.ts';
import { createCoProcess, KernelError, type CoProcess } from './co-process.ts';
import { namespacePath } from './names.ts';

/** One line for `ip -batch`; with `unless`, an error that matches is as good as success. */
export type IpCommand = string | { line: string; unless: RegExp };

export const GONE = /Cannot find device|does not exist|No such file|No such process|No such device|Cannot assign/;
export const THERE = /File exists|already exists|already assigned/;

const lineOf = (command: IpCommand): string => (typeof command === 'string' ? command : command.line);

/**
 * Reads what `ip -force -batch -` printed: an error's text stands before `Command failed -:LINE`.
 * @returns the failures by index into the batch; `offset` is the number of lines that went before it.
 */
export function batchFailures(output: string, offset: number): Map<number, string> {
  const failures = new Map<number, string>();
  let text: string[] = [];
  for (const line of output.split('\n')) {
    const failed = /^Command failed -:(\d+)$/.exec(line);
    if (failed === null) {
      if (line.trim() !== '') text.push(line.trim());
      continue;
    }
    failures.set(Number(failed[1]) - offset - 1, text.join(' ') || 'failed');
    text = [];
  }
  return failures;
}

/** @throws KernelError of the first command that failed in a way it must not. */
export function checkBatch(commands: IpCommand[], failures: Map<number, string>): void {
  commands.forEach((command, index) => {
    const failure = failures.get(index);
    if (failure === undefined) return;
    if (typeof command !== 'string' && command.unless.test(failure)) return;
    throw new KernelError(`ip ${lineOf(command)}`, failure);
  });
}

export interface IpTool {
  /**
   * Carries out all of them in order; then throws the first error that is not excused. A command may be asked
   * again after the later ones: none of a run may undo another.
   */
  run(commands: IpCommand[]): Promise<void>;
  pid(): number | undefined;
  restart(): void;
  close(): Promise<void>;
}

const IP_SYNC = /Object "sync" is unknown, try "ip help"\.\nCommand failed -:(\d+)\n$/;

/**
 * `ip` remembers the number behind an interface's name; after somebody else made the interface anew the number is
 * void. What failed so is asked again of a fresh process.
 */
const STALE = /RTNETLINK answers: (No such device|Invalid argument)/;

/** `ip` as a co-process inside a namespace (undefined: the one of this process). */
export function ipTool(namespace: string | undefined, timeout_ms: number, log: Log): IpTool {
  const enter = namespace === undefined ? [] : ['nsenter', `--net=${namespacePath(namespace)}`];
  const argv = [...enter, 'ip', '-force', '-batch', '-'];
  const coProcess = createCoProcess({ name: `ip in ${namespace ?? 'host'}`, argv, sync: 'sync', done: IP_SYNC, timeout_ms, log });

  async function batch(commands: IpCommand[]): Promise<Map<number, string>> {
    const output = await coProcess.request(commands.map(lineOf).join('\n'));
    const sync = IP_SYNC.exec(output);
    const offset = Number(sync?.[1]) - commands.length - 1;
    return batchFailures(output.slice(0, sync?.index), offset);
  }

  return {
    pid: () => coProcess.pid(),
    restart: () => coProcess.restart(),
    close: () => coProcess.close(),
    async run(commands) {
      if (commands.length === 0) return;
      const failures = await batch(commands);
      const stale = [...failures].filter(([, text]) => STALE.test(text)).map(([index]) => index);
      if (stale.length === 0) return checkBatch(commands, failures);
      await coProcess.refresh();
      const second = await batch(stale.map((index) => commands[index] ?? ''));
      stale.forEach((index, position) => {
        const text = second.get(position);
        if (text === undefined) failures.delete(index);
        else failures.set(index, text);
      });
      checkBatch(commands, failures);
    },
  };
}

export interface NftTool {
  /** One atomic transaction; concurrent ones may share a larger one, a failure is still told to its own asker. */
  commit(commands: string[]): Promise<void>;
  restart(): void;
  close(): Promise<void>;
}

const NFT_SYNC = /meta expression, datatype mark[^\n]*\n$/;

/** `nft -i` as a co-process: a line is a transaction. */
export function nftTool(namespace: string, timeout_ms: number, log: Log): NftTool {
  const argv = ['nsenter', `--net=${namespacePath(namespace)}`, 'nft', '-i'];
  const coProcess = createCoProcess({ name: `nft in ${namespace}`, argv, sync: 'describe meta mark', done: NFT_SYNC, timeout_ms, log });
  let waiting: { commands: string[]; resolve(): void; reject(error: unknown): void }[] = [];
  let busy = false;

  async function transaction(commands: string[]): Promise<void> {
    const output = await coProcess.request(commands.join('; '));
    const complaint = output.slice(0, NFT_SYNC.exec(output)?.index).trim();
    if (complaint !== '') throw new KernelError('nft', explain(commands, complaint));
  }

  async function drain(): Promise<void> {
    if (busy) return;
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await transaction(batch.flatMap((one) => one.commands));
        for (const one of batch) one.resolve();
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else for (const one of batch) await transaction(one.commands).then(one.resolve, one.reject);
      }
    }
    busy = false;
  }

  return {
    restart: () => coProcess.restart(),
    close: () => coProcess.close(),
    commit(commands) {
      if (commands.length === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiting.push({ commands, resolve, reject });
        void drain();
      });
    },
  };
}

/** nft repeats the whole line and underlines the culprit: keep the message and the command at fault. */
function explain(commands: string[], complaint: string): string {
  const lines = complaint.split('\n');
  const message = (lines[0] ?? '').replace(/^Error: /, '');
  const column = (lines[2] ?? '').indexOf('^');
  if (column < 0) return message;
  let end = 0;
  for (const command of commands) {
    end += command.length + 2;
    if (column < end) return `${message} (${command})`;
  }
  return message;
}

export interface Shell {
  /** Runs a POSIX script. @returns its output and exit status. */
  run(script: string): Promise<{ output: string; status: number }>;
  close(): Promise<void>;
}

const SHELL_SYNC = /\n@@done (\d+)\n$/;

/** Shells that wait for scripts, for what has to happen inside guests' namespaces; as many scripts run at once as there are shells. */
export function shellPool(size: number, timeout_ms: number, log: Log): Shell {
  const processes: { coProcess: CoProcess; pending: number }[] = [];
  for (let index = 0; index < size; index += 1) {
    const coProcess = createCoProcess({
      name: `shell ${index}`, argv: ['/bin/sh'], sync: `printf '\\n@@done %d\\n' "$?"`, done: SHELL_SYNC, timeout_ms, log,
    });
    processes.push({ coProcess, pending: 0 });
  }
  return {
    async run(script) {
      const free = processes.reduce((best, one) => (one.pending < best.pending ? one : best));
      free.pending += 1;
      try {
        const output = await free.coProcess.request(script);
        const sync = SHELL_SYNC.exec(output);
        return { output: output.slice(0, sync?.index), status: Number(sync?.[1]) };
      } finally {
        free.pending -= 1;
      }
    },
    async close() {
      await Promise.all(processes.map((one) => one.coProcess.close()));
    },
  };
}

/** Runs `ip` lines inside a guest's namespace, after shell lines that set it up. */
export async function ipInGuest(shell: Shell, namespace: string, commands: IpCommand[], before: string[] = []): Promise<void> {
  if (commands.length === 0 && before.length === 0) return;
  const batch = commands.map(lineOf).join('\n');
  const enter = `nsenter --net=${namespacePath(namespace)}`;
  const inner = before.length === 0 ? 'ip -force -batch -' : `sh -c '${[...before, 'exec ip -force -batch -'].join('\n')}'`;
  const { output, status } = await shell.run(`${enter} ${inner} <<'@@end'\n${batch}\n@@end`);
  const failures = batchFailures(output, 0);
  checkBatch(commands, failures);
  if (status !== 0 && failures.size === 0) throw new KernelError(`in namespace ${namespace}`, output.trim() || `exit ${status}`);
}

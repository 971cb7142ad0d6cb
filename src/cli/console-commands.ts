/** The words of `gantry console` and `gantry exec`. */
import { type Command, Option } from 'commander';
import type { ConsoleMode } from '../agents/compute/console-protocol.ts';
import type { CommonOptions } from './settings.ts';

type ConsoleFlags = CommonOptions & { mode: ConsoleMode };
type ExecFlags = CommonOptions & { tty?: boolean; env: string[] };

/** @param make a command that knows which cloud is meant. */
export function addConsoleCommands(make: (name: string, description: string) => Command, exit: (code: number) => void): void {
  make('console', 'a terminal in a server: a shell, its main process or its log')
    .argument('<server>', 'name or id')
    .addOption(new Option('--mode <mode>', 'exec: a shell; attach: the main process, left with control-]; log: the output').choices(['exec', 'attach', 'log']).default('exec'))
    .action(async (server: string, flags: ConsoleFlags) => exit(await run(flags, server, { mode: flags.mode, tty: true })));
  make('exec', 'run a program in a server: gantry exec web -- ls /')
    .argument('<server>', 'name or id')
    .argument('<command...>', 'program and arguments, after --')
    .option('-t, --tty', 'give it a terminal (default: when both ends are one)')
    .option('-e, --env <name=value>', 'set a variable; may be given again', (value: string, all: string[]) => [...all, value], [])
    .action(async (server: string, command: string[], flags: ExecFlags) => {
      const tty = flags.tty ?? (process.stdin.isTTY && process.stdout.isTTY);
      const environment = Object.fromEntries(flags.env.map((one) => [one.split('=', 1)[0]!, one.slice(one.indexOf('=') + 1)]));
      exit(await run(flags, server, { mode: 'exec', command, tty, environment }));
    });
}

async function run(flags: CommonOptions, server: string, wish: { mode: ConsoleMode; tty: boolean; command?: string[]; environment?: Record<string, string> }): Promise<number> {
  const [{ openSession }, { callerOf }, { readSettings }, { runConsole }] = await Promise.all([import('./api.ts'), import('./caller.ts'), import('./settings.ts'), import('./console.ts')]);
  const session = await openSession(callerOf(readSettings(flags)));
  return await runConsole(session, server, wish, { input: process.stdin, output: process.stdout, errors: process.stderr });
}

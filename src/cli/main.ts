import { Command, CommanderError } from 'commander';
import { ConfigError } from '../kernel/config/config.ts';
import { didYouMean } from '../kernel/config/suggest.ts';
import { CliError } from './errors.ts';
import { addCommands } from './commands.ts';
import { paint, terminal } from './output.ts';
import type { Output } from './output.ts';

/** Runs one command line. @returns the exit status. */
export async function runCli(args: string[], output: Output = terminal()): Promise<number> {
  const status = { code: 0 };
  const program = new Command('gantry')
    .description('An OpenStack cloud whose servers are Docker containers.')
    .exitOverride()
    .configureOutput({ writeErr: (text) => output.note(text.trimEnd()), writeOut: (text) => output.print(text.trimEnd()) })
    .addHelpText('after', '\nExamples:\n  ./gantry up                    set up the cloud, or heal it\n  eval "$(./gantry env)"         let the openstack client speak to it\n  ./gantry logs -f --request-id req-…');
  addCommands(program, output, (code) => { status.code = code; });
  program.on('command:*', ([word]: string[]) => {
    output.note(`gantry: unknown command "${word}"${didYouMean(word!, program.commands.map((command) => command.name()))}; ./gantry --help lists them`);
    status.code = 2;
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return status.code;
  } catch (error) {
    return explain(error, output);
  }
}

function explain(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) {
    for (const problem of error.problems) output.note(`${paint(output, 'red', '✖')} ${problem}`);
    return 2;
  }
  if (error instanceof CliError) {
    output.note(`${paint(output, 'red', '✖')} ${error.reason}: ${error.message}`);
    if (error.log !== undefined) output.note(`  log:  ${error.log}`);
    if (error.next !== undefined) output.note(`  next: ${error.next}`);
    return 1;
  }
  output.note(`gantry: ${error instanceof Error ? (process.env['GANTRY_TRACE'] === undefined ? error.message : error.stack) : String(error)}`);
  return 1;
}

import type { Command } from 'commander';
import type { Output } from './output.ts';
import { readSettings } from './settings.ts';
import type { CommonOptions } from './settings.ts';

type Exit = (code: number) => void;

/** Registers every command in its help group; each loads its own code when it runs. */
export function addCommands(program: Command, output: Output, exit: Exit): void {
  const common = (command: Command): Command =>
    command
      .option('--data-dir <folder>', "the cloud's folder (default: /var/lib/<name> for root)")
      .option('--name <name>', 'name of the cloud on this host (default: gantry)')
      .option('--config <file>', 'configuration file (default: gantry.toml in the data directory)');
  const json = (command: Command): Command => command.option('-o, --output <format>', 'json for programs');

  program.commandsGroup('Run a cloud:');
  addDoctor(json(common(program.command('doctor'))), output, exit);
}

function addDoctor(command: Command, output: Output, exit: Exit): void {
  command
    .description('check this host: what is ready, what is in the way, and the fix')
    .option('--port <port>', 'API port to look at')
    .option('--no-install', 'count missing packages as errors')
    .action(async (options: CommonOptions & { port?: string; install: boolean }) => {
      const { doctor } = await import('./doctor.ts');
      const settings = readSettings(options);
      if (options.port !== undefined) settings.config.api.port = Number(options.port);
      exit(await doctor(settings, output, { json: options.output === 'json', install: options.install }));
    });
}

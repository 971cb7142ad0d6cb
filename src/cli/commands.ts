import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { addConsoleCommands } from './console-commands.ts';
import type { Output } from './output.ts';
import { readSettings, readSettingsToStop } from './settings.ts';
import type { CommonOptions } from './settings.ts';

interface Registry {
  program: Command;
  output: Output;
  exit(code: number): void;
}

/** Registers every command in its help group; each loads its own code when it runs. */
export function addCommands(program: Command, output: Output, exit: (code: number) => void): void {
  const registry: Registry = { program, output, exit };
  program.commandsGroup('Run a cloud:');
  addUp(registry);
  addDown(registry);
  addDoctor(registry);
  program.commandsGroup('Look at it:');
  addStatus(registry);
  addLogs(registry);
  addVersion(registry);
  program.commandsGroup('Use it:');
  addEnv(registry);
  addCreds(registry);
  addImage(registry);
  addConsoleCommands((name, description) => command(registry, name, description), exit);
  program.commandsGroup('Processes (started by up):');
  for (const [role, what] of [['controller', 'serve all APIs'], ['agent', 'do the work on this host']] as const) {
    program.command(role).description(what).requiredOption('--config <file>', 'configuration file');
  }
  program.helpCommand('help [command]', 'explain a command');
}

function command(registry: Registry, name: string, description: string): Command {
  return place(registry.program.command(name).description(description));
}

/** Which cloud is meant. */
function place(one: Command): Command {
  return one
    .option('--data-dir <folder>', "the cloud's folder (default: $GANTRY_DATA_DIR, or /var/lib/<name> for root)")
    .option('--name <name>', 'name of the cloud on this host (default: gantry)')
    .option('--config <file>', 'configuration file (default: gantry.toml in the data directory)');
}

const json = (): Option => new Option('-o, --output <format>', 'what to print').choices(['text', 'json']).default('text');
const user = (): Option => new Option('--user <name>', 'as whom').choices(['admin', 'demo']).default('admin');

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new InvalidArgumentError('a port is a whole number from 1 to 65535.');
  return port;
}

type UpFlags = CommonOptions & { port?: number; host?: string; install: boolean; write: boolean; image?: string };

function addUp(registry: Registry): void {
  command(registry, 'up', 'set up the cloud and its first server, or heal what is dead of it')
    .option('--port <port>', 'the one API port (default: 5000)', portNumber)
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--image <reference>', 'make the first image from a registry: docker://nginx:alpine')
    .option('--no-install', 'refuse to install packages')
    .option('--no-write', 'leave clouds.yaml alone')
    .addOption(json())
    .action(async (flags: UpFlags) => {
      const { up } = await import('./up/up.ts');
      const api = { ...(flags.host === undefined ? {} : { host: flags.host }), ...(flags.port === undefined ? {} : { port: flags.port }) };
      const kept = { api, ...(flags.name === undefined ? {} : { cloud: { name: flags.name } }) };
      const wishes = { install: flags.install, write: flags.write, json: flags.output === 'json', image: flags.image };
      registry.exit(await up(flags, kept, wishes, registry.output));
    });
}

function addDown(registry: Registry): void {
  command(registry, 'down', 'stop the cloud and keep its data')
    .option('--purge', 'remove all that Gantry made: servers, networks, images, settings, data')
    .action(async (flags: CommonOptions & { purge?: boolean }) => {
      const settings = readSettingsToStop(flags, registry.output.note);
      if (flags.purge === true) registry.exit(await (await import('./purge.ts')).purge(settings, registry.output));
      else registry.exit(await (await import('./down.ts')).down(settings, registry.output));
    });
}

function addDoctor(registry: Registry): void {
  command(registry, 'doctor', 'check this host: what is ready, what is in the way, and the fix')
    .option('--port <port>', 'API port to look at', portNumber)
    .option('--no-install', 'count missing packages as errors')
    .addOption(json())
    .action(async (flags: CommonOptions & { port?: number; install: boolean }) => {
      const { doctor } = await import('./doctor.ts');
      const settings = readSettings(flags);
      if (flags.port !== undefined) settings.config.api.port = flags.port;
      registry.exit(await doctor(settings, registry.output, { json: flags.output === 'json', install: flags.install }));
    });
}

function addStatus(registry: Registry): void {
  command(registry, 'status', 'show every service, its version, health and latency; exit status 1 when one is down')
    .addOption(json())
    .action(async (flags: CommonOptions) => {
      const { status } = await import('./status.ts');
      registry.exit(await status(readSettings(flags), registry.output, flags.output === 'json'));
    });
}

type LogFlags = CommonOptions & { follow?: boolean; since?: string; requestId?: string; lines: number };

function addLogs(registry: Registry): void {
  command(registry, 'logs', 'show the logs of all processes, or of one, joined by time')
    .argument('[service]', 'controller, agent, dockerd, containerd or apt')
    .option('-f, --follow', 'go on with what is being written')
    .option('--since <time>', '30s, 10m, 2h, 1d ago, or an instant')
    .option('--request-id <id>', 'only what belongs to this request')
    .option('-n, --lines <count>', 'how many lines to begin with', (text) => Math.max(0, Number.parseInt(text, 10) || 0), 100)
    .addOption(json())
    .action(async (service: string | undefined, flags: LogFlags) => {
      const { logs, parseSince } = await import('./logs.ts');
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const query = {
        service, follow: flags.follow === true, lines: flags.lines, request_id: flags.requestId, raw: flags.output === 'json',
        since: flags.since === undefined ? undefined : parseSince(flags.since, new Date()),
      };
      await logs(readSettings(flags).data_dir, query, registry.output, stop.signal);
    });
}

function addVersion(registry: Registry): void {
  command(registry, 'version', 'print versions, for a report')
    .addOption(json())
    .action(async (flags: CommonOptions) => {
      const { version } = await import('./version.ts');
      for (const line of await version(readSettings(flags), flags.output === 'json')) registry.output.print(line);
    });
}

function addEnv(registry: Registry): void {
  for (const [name, description] of [['env', 'print variables for the openstack client: eval "$(./gantry env)"'], ['openrc', 'the same, to be kept in a file']] as const) {
    command(registry, name, description)
      .addOption(new Option('--shell <shell>', 'whose words to use').choices(['sh', 'bash', 'zsh', 'fish']).default('bash'))
      .addOption(user())
      .action(async (flags: CommonOptions & { shell: 'sh' | 'bash' | 'zsh' | 'fish'; user: 'admin' | 'demo' }) => {
        const { exportLines } = await import('./env.ts');
        const { credentialsOf } = await import('./secrets.ts');
        for (const line of exportLines(credentialsOf(readSettings(flags), flags.user), flags.shell)) registry.output.print(line);
      });
  }
}

function addCreds(registry: Registry): void {
  command(registry, 'creds', 'print users and passwords')
    .addOption(json())
    .action(async (flags: CommonOptions) => {
      const { credentialsOf } = await import('./secrets.ts');
      const { table } = await import('./output.ts');
      const settings = readSettings(flags);
      const users = (['admin', 'demo'] as const).map((name) => credentialsOf(settings, name));
      if (flags.output === 'json') registry.output.print(JSON.stringify(users, null, 2));
      else for (const line of table(['user', 'password', 'project', 'auth URL'], users.map((one) => [one.username, one.password, one.project, one.auth_url]))) registry.output.print(line);
    });
}

/** Its words are many, and read only when one of them is used. */
function addImage({ program, output, exit }: Registry): void {
  program.command('image')
    .description('build, push, pull, search, import, list and prefetch images: gantry image --help')
    .argument('[words...]').helpOption(false).allowUnknownOption()
    .action(async (words: string[]) => {
      const { imageProgram } = await import('./image/commands.ts');
      await imageProgram(place, { output, exit }).parseAsync(words, { from: 'user' });
    });
}

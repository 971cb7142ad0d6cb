/** `gantry image …`: the words of docker's own command, meant for the cloud. */
import { Command, Option } from 'commander';
import { openSession, type Session } from '../api.ts';
import { callerOf } from '../caller.ts';
import { CliError } from '../errors.ts';
import { table, type Output } from '../output.ts';
import { readSettings, type CommonOptions, type Settings } from '../settings.ts';
import { buildImage, hostMemory, parseBuildArgs, type Published } from './build.ts';
import { withEngine } from './engine-images.ts';
import { findImage, listImages, type GlanceImage } from './glance.ts';
import { byteText, parseBytes, parseReference } from './names.ts';
import { importImage, pullImage, pushImage } from './transfer.ts';

interface Runner {
  output: Output;
  exit(code: number): void;
}

type Flags = CommonOptions & { visibility: string };

/** @param place adds the options that say which cloud is meant. */
export function imageProgram(place: (command: Command) => Command, runner: Runner): Command {
  const { output } = runner;
  const program = new Command('gantry image')
    .description('Images of the cloud, as whoever OS_CLOUD or the OS_* variables name, or else as admin of the cloud on this host.')
    .exitOverride()
    .configureOutput({ writeErr: (text) => output.note(text.trimEnd()), writeOut: (text) => output.print(text.trimEnd()) });
  const sub = (name: string, description: string): Command =>
    place(program.command(name).description(description)).addOption(new Option('-o, --output <format>', 'what to print').choices(['text', 'json']).default('text'));
  addBuild(sub, runner);
  addTransfers(sub, runner);
  addImport(sub, runner);
  addListing(sub, runner);
  addPrefetch(sub, runner);
  return program;
}

type Sub = (name: string, description: string) => Command;

const visibility = (): Option => new Option('--visibility <who>', 'who sees it').choices(['private', 'public', 'community', 'shared']).default('private');
const collect = (text: string, all: string[]): string[] => [...all, text];

async function open(flags: CommonOptions): Promise<{ settings: Settings; session: Session }> {
  const settings = readSettings(flags);
  return { settings, session: await openSession(callerOf(settings)) };
}

function seconds(text: string, option: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400)) throw new CliError('GY-IMAGE-004', `${option} ${text} is no number of seconds`, { next: `${option} 1800` });
  return value * 1000;
}

function tell({ output }: Runner, flags: CommonOptions, { image, hidden }: Published): void {
  if (flags.output === 'json') return output.print(JSON.stringify({ ...view(image), hidden }, null, 2));
  output.print(`${image.name} ${image.id} ${byteText(image.size ?? 0)}`);
  for (const id of hidden) output.note(`the former image of this name, ${id}, is hidden now`);
}

const view = ({ id, name, status, visibility: who, owner, size, container_format, disk_format }: GlanceImage) => ({ id, name, status, visibility: who, owner, size, container_format, disk_format });

type BuildFlags = Flags & { tag?: string; file: string; buildArg: string[]; memory: string; cpus: string; network: string; cache: boolean; pull?: boolean; maxContext: string; timeout: string };

function addBuild(sub: Sub, runner: Runner): void {
  sub('build', 'build a Dockerfile with the engine of this host; the result is an image of the cloud')
    .argument('<folder>', 'what the Dockerfile may copy from')
    .option('-t, --tag <name:tag>', "the image's name (default: the folder's name, :latest)")
    .option('-f, --file <path>', 'the Dockerfile, within the folder', 'Dockerfile')
    .option('--build-arg <name=value>', 'for ARG; may be given more than once', collect, [])
    .option('--memory <amount>', 'what a step may take', '1g')
    .option('--cpus <number>', 'what a step may take', '1')
    .option('--network <mode>', "the network of the steps: none, or one of docker's (bridge, host …)", 'none')
    .option('--no-cache', 'run every step again')
    .option('--pull', 'ask for newer base images')
    .option('--max-context <amount>', 'refuse larger folders', '1g')
    .option('--timeout <seconds>', 'stop the build after', '1800')
    .addOption(visibility())
    .action(async (folder: string, flags: BuildFlags) => {
      const plan = buildPlan(folder, flags);
      const { settings, session } = await open(flags);
      tell(runner, flags, await withEngine(settings, (engine) => buildImage(engine, session, settings.config.cloud.name, plan, runner.output)));
    });
}

function buildPlan(folder: string, flags: BuildFlags) {
  const memory_bytes = parseBytes(flags.memory, '--memory');
  const cpus = Number(flags.cpus);
  if (!(cpus >= 0.01 && cpus <= 1024)) throw new CliError('GY-IMAGE-004', `--cpus ${flags.cpus} is no number of CPUs`, { next: '--cpus 1' });
  if (memory_bytes < 6 * 1024 ** 2 || memory_bytes > hostMemory()) throw new CliError('GY-IMAGE-004', `--memory ${flags.memory} is less than 6m or more than this host has`, { next: '--memory 1g' });
  if (flags.file.startsWith('/') || flags.file.split('/').includes('..')) throw new CliError('GY-BUILD-002', `the Dockerfile ${flags.file} is outside of the folder`, { next: '-f path/in/the/folder' });
  const last = folder.replace(/\/+$/, '').split('/').at(-1) ?? '';
  const named = flags.tag ?? (last === '' || last.startsWith('.') ? undefined : last.toLowerCase());
  if (named === undefined) throw new CliError('GY-IMAGE-003', 'the image needs a name', { next: '-t name:tag' });
  return {
    folder, dockerfile: flags.file.replace(/^(\.\/)+/, ''), reference: parseReference(named), visibility: flags.visibility, build_args: parseBuildArgs(flags.buildArg), memory_bytes, cpus,
    network: flags.network, use_cache: flags.cache, pull: flags.pull === true, max_context_bytes: parseBytes(flags.maxContext, '--max-context'), timeout_ms: seconds(flags.timeout, '--timeout'),
  };
}

function addTransfers(sub: Sub, runner: Runner): void {
  sub('push', 'put an image of the engine of this host into the cloud')
    .argument('<image>', 'as docker calls it')
    .argument('[name]', 'name:tag in the cloud (default: the same)')
    .addOption(visibility())
    .action(async (local: string, name: string | undefined, flags: Flags) => {
      const { settings, session } = await open(flags);
      tell(runner, flags, await withEngine(settings, (engine) => pushImage(engine, session, local, name, flags.visibility)));
    });
  sub('pull', 'put an image of the cloud into the engine of this host')
    .argument('<image>', 'name or id')
    .option('-t, --tag <name:tag>', 'what docker shall call it (default: the same)')
    .action(async (text: string, flags: Flags & { tag?: string }) => {
      const { settings, session } = await open(flags);
      const { image, reference } = await withEngine(settings, (engine) => pullImage(engine, session, text, flags.tag));
      runner.output.print(flags.output === 'json' ? JSON.stringify({ ...view(image), reference }, null, 2) : reference);
    });
}

type ImportFlags = Flags & { name?: string; containerFormat?: string; diskFormat?: string; property: string[]; timeout: string };

function addImport(sub: Sub, runner: Runner): void {
  sub('import', 'make an image of a file, an address, or an image of another registry')
    .argument('<source>', 'a file, http(s)://…, or docker://[registry/]name:tag')
    .argument('[name]', "the image's name (default: by the source)")
    .option('--container-format <format>', 'docker or bare (default: by the source)')
    .option('--disk-format <format>', 'raw, qcow2 … (default: by the source)')
    .option('--property <key=value>', 'may be given more than once', collect, [])
    .option('--timeout <seconds>', 'how long to wait for the cloud', '1800')
    .addOption(visibility())
    .action(async (source: string, name: string | undefined, flags: ImportFlags) => {
      const properties = Object.fromEntries(flags.property.map((text) => {
        const at = text.indexOf('=');
        if (at < 1) throw new CliError('GY-IMAGE-004', `--property ${text} has no value`, { next: '--property key=value' });
        return [text.slice(0, at), text.slice(at + 1)];
      }));
      const plan = { source, name, container_format: flags.containerFormat, disk_format: flags.diskFormat, visibility: flags.visibility, properties, timeout_ms: seconds(flags.timeout, '--timeout') };
      const { session } = await open(flags);
      tell(runner, flags, { image: await importImage(session, plan), hidden: [] });
    });
}

function addListing(sub: Sub, runner: Runner): void {
  const show = async (flags: CommonOptions, wanted: (image: GlanceImage) => boolean): Promise<void> => {
    const { session } = await open(flags);
    const found: GlanceImage[] = [];
    for await (const image of listImages(session)) if (wanted(image)) found.push(image);
    if (flags.output === 'json') return runner.output.print(JSON.stringify(found.map(view), null, 2));
    const rows = found.map((image) => [image.name ?? '', image.id, image.status, image.visibility, image.size === null ? '' : byteText(image.size), image.container_format ?? '']);
    for (const line of table(['name', 'id', 'status', 'visibility', 'size', 'format'], rows)) runner.output.print(line);
  };
  sub('list', 'list the images that the caller may use').action((flags: CommonOptions) => show(flags, () => true));
  sub('search', 'list container images whose name or description holds a word')
    .argument('<term>')
    .action((term: string, flags: CommonOptions) => {
      const word = term.toLowerCase();
      return show(flags, (image) => image.container_format === 'docker' && image.status === 'active' && `${image.name ?? ''}\n${image.description ?? ''}`.toLowerCase().includes(word));
    });
}

interface Prefetched {
  host: string;
  status: string;
  message?: string;
  bytes_fetched?: number;
  layers_fetched?: number;
  layers_reused?: number;
  ms?: number;
}

const PREFETCH_MS = 6 * 3_600_000;

function addPrefetch(sub: Sub, runner: Runner): void {
  sub('prefetch', 'bring an image to the nodes before a server asks for it (for administrators); exit status 1 when one fails')
    .argument('<image>', 'name or id')
    .option('--host <name>', 'only there; may be given more than once (default: every enabled node)', collect, [])
    .action(async (text: string, flags: CommonOptions & { host: string[] }) => {
      const { session } = await open(flags);
      const { id } = await findImage(session, text);
      const body = { prefetch: { image_id: id, ...(flags.host.length === 0 ? {} : { hosts: flags.host }) } };
      const { hosts } = (await session.call('compute', 'POST', '/os-image-prefetch', body, { timeout_ms: PREFETCH_MS })) as { hosts: Prefetched[] };
      if (flags.output === 'json') runner.output.print(JSON.stringify(hosts, null, 2));
      else for (const line of table(['host', 'status', 'fetched', 'layers', 'had', 'time'], hosts.map(prefetchRow))) runner.output.print(line);
      runner.exit(hosts.some((one) => one.status === 'failed') ? 1 : 0);
    });
}

function prefetchRow(one: Prefetched): string[] {
  if (one.status === 'failed') return [one.host, `failed: ${one.message ?? ''}`];
  return [one.host, one.status, byteText(one.bytes_fetched ?? 0), String(one.layers_fetched ?? 0), String(one.layers_reused ?? 0), `${((one.ms ?? 0) / 1000).toFixed(1)} s`];
}

import { existsSync } from 'node:fs';
import { refuseForeignFolder } from '../data-dir.ts';
import { formatFindings, examine } from '../doctor/doctor.ts';
import { unusableHost } from '../doctor/host-checks.ts';
import { hostProbes } from '../doctor/probes.ts';
import { subjectOf } from '../doctor.ts';
import { cloudEntry, cloudsYamlPath, editCloudsYaml, entryNames, mergeClouds, systemEntry } from '../clouds-yaml.ts';
import { keepOptions } from '../config-file.ts';
import type { Kept } from '../config-file.ts';
import { CliError } from '../errors.ts';
import { ensureHello } from '../hello.ts';
import { login, loginSystem } from '../api.ts';
import type { Output } from '../output.ts';
import { logFile, partState } from '../process/parts.ts';
import { credentialsOf, prepareDataDir } from '../secrets.ts';
import { advice, selfCommand } from '../self.ts';
import type { Settings } from '../settings.ts';
import { readSettings } from '../settings.ts';
import type { CommonOptions } from '../settings.ts';
import { seedWorld } from '../world.ts';
import { formatBox, nextSteps } from './box.ts';
import type { Step, UpContext, UpOptions } from './context.ts';
import { ensureEngine } from './engine.ts';
import { helloImage, registryReference } from './image-source.ts';
import { takeLock } from './lock.ts';
import { installPackages } from './packages.ts';
import { resumeServers } from './resume.ts';
import { installRuntime, refuseNamesake } from './runtime.ts';
import { ensureAgent, ensureController, waitForApis, waitForNode } from './services.ts';
import { createProgress, runSteps } from './steps.ts';
import { readWorld, writeWorld } from './world-state.ts';

const steps: readonly Step[] = [
  { name: 'preflight', title: 'check this host', run: preflight },
  { name: 'packages', title: 'packages', run: installPackages },
  { name: 'runtime', title: 'container runtime', run: async ({ settings }) => installRuntime(settings) },
  { name: 'engine', title: 'Docker engine', run: ensureEngine },
  { name: 'controller', title: 'controller', run: ensureController },
  { name: 'agent', title: 'agent', run: ensureAgent },
  { name: 'apis', title: 'APIs answer', run: apis },
  { name: 'world', title: 'ready-made world', run: world },
  { name: 'hello', title: 'first server', run: hello },
  { name: 'client', title: 'client settings', run: client },
];

/** `gantry up`: the cloud runs and `hello` answers afterwards, or nothing that this run started is left. */
export async function up(options: CommonOptions, kept: Kept, wishes: UpOptions, output: Output): Promise<number> {
  const begun = performance.now();
  let settings = readSettings(options);
  if (wishes.image !== undefined) registryReference(wishes.image);
  if (process.getuid?.() !== 0) throw new CliError('GY-ROOT-001', 'the agent makes network namespaces and talks to Docker, for which it needs root', { next: 'sudo ./gantry up' });
  checkIdentity(settings, kept);
  refuseNamesake(settings.config.cloud.name, settings.data_dir, 'up');
  refuseForeignFolder(settings);
  refuseHost(kept);
  const progress = createProgress(output, wishes.json);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  let release: (() => void) | undefined;
  try {
    prepareDataDir(settings);
    release = takeLock(settings.data_dir, 'up');
    keepOptions(settings, kept);
    settings = readSettings(options);
    const context: UpContext = { settings, options: wishes, output, undo: [], signal: interrupt.signal, say: progress.say };
    await runSteps(steps, context, progress);
    report(context, performance.now() - begun);
    return 0;
  } catch (error) {
    return failed(error, settings, output, wishes.json);
  } finally {
    release?.();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, onSignal);
  }
}

/** A running cloud does not change its name or move to another port under its users. */
function checkIdentity(settings: Settings, kept: Kept): void {
  if (!settings.exists) return;
  const { cloud, api } = settings.config;
  const renamed = kept.cloud?.name !== undefined && kept.cloud.name !== cloud.name;
  if (renamed) throw new CliError('GY-UP-NAME', `the cloud in ${settings.data_dir} is named ${cloud.name}`, { next: `${selfCommand(settings, 'up')}   (or name another --data-dir)` });
  const moved = (kept.api?.port !== undefined && kept.api.port !== api.port) || (kept.api?.host !== undefined && kept.api.host !== api.host);
  if (moved && partState(settings.data_dir, 'controller').supervisor !== undefined) {
    throw new CliError('GY-UP-PORT', `the cloud runs on ${api.host}:${api.port}`, { next: `${selfCommand(settings, 'down')}, then run the same command again` });
  }
}

/** Before it is kept: an address that cannot be listened on would stand in the way of the next `up` as well. */
function refuseHost(kept: Kept): void {
  const host = kept.api?.host;
  const why = host === undefined ? undefined : unusableHost(hostProbes(), host);
  if (why !== undefined) throw new CliError('GY-HOST-001', `--host: ${why}`, { next: './gantry up --host 127.0.0.1   (or an address that `ip address` shows)' });
}

async function preflight(context: UpContext): Promise<string> {
  const findings = await examine(hostProbes(), subjectOf(context.settings, context.options.install));
  for (const line of formatFindings(findings, true)) context.say(line);
  const bad = findings.filter((finding) => finding.level === 'fail');
  if (bad.length > 0) throw new CliError(bad[0]!.id, `${bad[0]!.title}: ${bad[0]!.cause}`, { next: bad[0]!.fix ?? './gantry doctor' });
  return `${findings.length} checks`;
}

async function apis(context: UpContext): Promise<string> {
  context.admin = await waitForApis(context);
  await waitForNode(context, context.admin);
  return context.admin.catalog.map((entry) => entry.type).join(', ');
}

async function world(context: UpContext): Promise<string> {
  const { settings, options } = context;
  const admin = context.admin!;
  if (readWorld(settings.data_dir, admin.project_id) !== undefined) return 'there';
  const demo = credentialsOf(settings, 'demo');
  const ids = await seedWorld({
    admin,
    subnets: { public: settings.config.cloud.public_subnet, private: settings.config.cloud.private_subnet },
    system: () => loginSystem(credentialsOf(settings, 'admin')),
    demo: () => login(demo),
    demo_password: demo.password,
    image: () => helloImage(settings.config.agent.docker_socket, options.image),
  });
  writeWorld(settings.data_dir, { admin_project_id: admin.project_id, ...ids, hello: false });
  return 'made';
}

async function hello(context: UpContext): Promise<string> {
  const { settings } = context;
  const admin = context.admin!;
  await resumeServers(admin, settings.data_dir);
  const state = readWorld(settings.data_dir, admin.project_id)!;
  context.hello_url = await ensureHello({ admin, ...state, may_create: !state.hello });
  if (context.hello_url === undefined) return 'left as its users want it';
  if (!state.hello) writeWorld(settings.data_dir, { ...state, hello: true });
  return `answers at ${context.hello_url}`;
}

async function client(context: UpContext): Promise<string> {
  if (!context.options.write) return 'clouds.yaml left alone';
  const { settings } = context;
  const path = cloudsYamlPath();
  const admin = credentialsOf(settings, 'admin');
  const names = entryNames(settings.config.cloud.name);
  const entries = { [names.admin]: cloudEntry(admin), [names.system]: systemEntry(admin), [names.demo]: cloudEntry(credentialsOf(settings, 'demo')) };
  const changed = editCloudsYaml(path, (text) => mergeClouds(text, entries));
  context.clouds_yaml = path;
  return `${path}${changed ? '' : ', unchanged'}`;
}

function report(context: UpContext, milliseconds: number): void {
  const box = nextSteps(context.settings, context.hello_url, context.clouds_yaml);
  if (context.options.json) context.output.print(JSON.stringify({ time: new Date().toISOString(), event: 'ready', milliseconds: Math.round(milliseconds), ...box }));
  else for (const line of formatBox(box, milliseconds, context.output)) context.output.print(line);
}

/** Names the reason, the log and the one next command. */
function failed(error: unknown, settings: Settings, output: Output, json: boolean): number {
  const given = error instanceof CliError ? error : new CliError('GY-UP-000', (error as Error).message, { cause: error, next: './gantry doctor' });
  const next = advice(settings, given.next ?? './gantry doctor');
  const known = new CliError(given.reason, given.message, { cause: error, next, ...(given.log === undefined ? logOf(settings) : { log: given.log }) });
  if (json) output.print(JSON.stringify({ time: new Date().toISOString(), event: 'failed', reason: known.reason, message: known.message, log: known.log, next: known.next }));
  else throw known;
  return known.reason === 'GY-UP-INTERRUPTED' ? 130 : 1;
}

function logOf(settings: Settings): { log?: string } {
  const log = logFile(settings.data_dir, 'controller');
  return existsSync(log) ? { log } : {};
}

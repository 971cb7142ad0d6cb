/** A second node for a cloud of the tests, on the same machine: an agent with a name, a folder and, with real drivers, an engine of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentPart } from '../../src/cli/process/program.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { type RealCloud, within } from './real-cloud.ts';

export interface SecondAgent {
  hostname: string;
  log: string;
  /** SIGKILL: the host is gone, its guests stay. */
  kill(): Promise<void>;
  launch(): Promise<void>;
  /** Ends it; what its guests leave behind is the caller's to remove. */
  stop(): Promise<void>;
}

export interface SecondAgentOptions {
  /** Prefix of everything that it makes on this machine: at most 6 characters, of no other cloud. */
  name: string;
  /** Fake drivers when left out. */
  docker_socket?: string;
  /** Further lines of section [agent]. */
  agent?: string;
}

/** Resolves when the controller sees the node. */
export async function startSecondAgent(cloud: RealCloud, { name, docker_socket, agent = '' }: SecondAgentOptions): Promise<SecondAgent> {
  const hostname = `${name}-node`;
  const dir = join(cloud.data_dir, `agent-${name}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const own = cloud.settings.config.agent;
  const fake = docker_socket === undefined;
  const lines = [
    `[cloud]\nname = "${name}"\ndata_dir = "${dir}"`,
    '[agent]', `hostname = "${hostname}"`, `controller_url = "${own.controller_url}"`, `join_token_file = "${own.join_token_file}"`, `state_dir = "${join(dir, 'state')}"`,
    `compute_driver = "${fake ? 'fake' : 'docker'}"`, `network_driver = "${fake ? 'fake' : 'linux'}"`, ...(fake ? [] : [`docker_socket = "${docker_socket}"`]), agent,
  ];
  const config_file = join(dir, 'gantry.toml');
  writeFileSync(config_file, `${lines.join('\n')}\n`);
  const config = loadConfig({ file: config_file, env: {}, other_sections: 'ignore' });
  const { command, env } = agentPart({ ...cloud.settings, config, config_file, data_dir: dir });
  const log = join(dir, 'agent.log');
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child!.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  const launch = async (): Promise<void> => {
    const out = openSync(log, 'a');
    child = spawn(command[0]!, command.slice(1), { cwd: '/', env, stdio: ['ignore', out, out] });
    closeSync(out);
    await within(30_000, `the node ${hostname} is not there`, () => log, async () => {
      const { services } = (await cloud.admin.call('compute', 'GET', `/os-services?host=${hostname}`)) as { services: { state: string }[] };
      const { resource_providers } = (await cloud.admin.call('placement', 'GET', `/resource_providers?name=${hostname}`)) as { resource_providers: object[] };
      return services.some(({ state }) => state === 'up') && resource_providers.length === 1;
    });
  };
  process.once('exit', () => child?.kill('SIGKILL'));
  await launch();
  return { hostname, log, launch, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

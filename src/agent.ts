import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAgent, type Agent, type AgentOptions } from './agents/assemble.ts';
import type { Config } from './kernel/config/config.ts';
import { createLog, type Log } from './kernel/log/log.ts';

/** What is still under way when the agent is told to stop gets this long; the rest is taken up after the next start. */
const STOP_WITHIN_MS = 10_000;

/**
 * The agent's process: serves until TERM or INT, then ends with code 0; guests run on.
 * @throws Error when it cannot start.
 */
export async function runAgent(config: Config): Promise<void> {
  const log = createLog({ level: config.log.level, name: 'agent' });
  const agent = startAgent(agentOptions(config, log));
  log.info({ node_id: agent.node_id, roles: config.agent.roles, hostname: config.agent.hostname }, 'the agent runs');
  const signal = await firstSignal();
  log.info({ signal }, 'the agent stops');
  await stopInTime(agent, log);
}

/** The agent's part of the configuration file, with the join token read from its own file. */
export function agentOptions({ agent, cloud }: Config, log: Log): AgentOptions {
  const join_token = readToken(agent.join_token_file);
  return {
    controller_url: agent.controller_url,
    identity_file: join(agent.state_dir, 'identity.json'),
    ...(join_token !== undefined && { join_token }),
    ...(agent.tunnel_ip !== '' && { tunnel_ip: agent.tunnel_ip }),
    hostname: agent.hostname,
    roles: agent.roles,
    cloud: cloud.name,
    docker_socket: agent.docker_socket,
    disk_limit: agent.disk_limit,
    state_dir: agent.state_dir,
    drivers: { compute: agent.compute_driver, network: agent.network_driver, volume: agent.volume_driver },
    ...(agent.volume_dir !== '' && { volume_dir: agent.volume_dir }),
    log,
  };
}

/** Undefined when there is none: a node that has joined needs it no more. */
function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

async function stopInTime(agent: Agent, log: Log): Promise<void> {
  const overdue = setTimeout(() => {
    log.warn({ waited_ms: STOP_WITHIN_MS }, 'work was still under way');
    process.exit(0);
  }, STOP_WITHIN_MS);
  // It fires as well when a stray socket keeps a closed agent alive, but holds up nothing by itself.
  overdue.unref();
  await agent.close();
}

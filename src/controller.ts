/** The controller process: every API on one port, without privileges. */
import { existsSync, readFileSync } from 'node:fs';
import { startCloud } from './cloud.ts';
import type { CloudConfig } from './cloud-config.ts';
import { createLog, type Log } from './kernel/log/log.ts';
import { readPolicyFile } from './kernel/policy/file.ts';

/** Runs until TERM or INT. */
export async function runController(config: CloudConfig): Promise<void> {
  const log = createLog({ name: 'controller', level: config.log.level });
  const policy = existsSync(config.api.policy_file) ? readPolicyFile(config.api.policy_file) : undefined;
  dropPrivileges(config.controller, log);
  const cloud = await startCloud({
    config,
    log,
    adminPassword: () => readFileSync(config.controller.admin_password_file, 'utf8').trim(),
    ...(policy ? { policy } : {}),
    joinToken: () => readFileSync(config.agent.join_token_file, 'utf8').trim(),
  });
  log.info({ url: cloud.url, pid: process.pid }, 'the controller is up');
  await new Promise<void>((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop());
  });
  log.info({}, 'the controller stops');
  await cloud.stop();
}

/** Root never faces the network: all modules are loaded by now, so a checkout that only root can read is no hindrance. */
function dropPrivileges({ uid, gid }: { uid: number; gid: number }, log: Log): void {
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  process.umask(0o077);
  log.debug({ uid, gid }, 'privileges dropped');
}

import type { Output } from './output.ts';
import { paint } from './output.ts';
import { examine, formatFindings } from './doctor/doctor.ts';
import type { Finding, Subject } from './doctor/check.ts';
import { hostProbes } from './doctor/probes.ts';
import { livePids } from './process/parts.ts';
import type { Settings } from './settings.ts';

export function subjectOf(settings: Settings, may_install: boolean): Subject {
  const { cloud, api, agent, controller } = settings.config;
  return {
    name: cloud.name,
    subnets: { public: cloud.public_subnet, private: cloud.private_subnet },
    data_dir: settings.data_dir,
    host: api.host,
    port: api.port,
    docker_socket: agent.docker_socket,
    runtime: agent.runtime,
    controller_uid: controller.uid,
    checkout: settings.checkout,
    may_install,
    own_pids: livePids(settings.data_dir),
    exists: settings.exists,
  };
}

/** `gantry doctor`. @returns the exit status: 1 when something stops `up`. */
export async function doctor(settings: Settings, output: Output, options: { json: boolean; install: boolean }): Promise<number> {
  const findings = await examine(hostProbes(), subjectOf(settings, options.install));
  const failed = findings.filter((finding) => finding.level === 'fail').length;
  if (options.json) output.print(JSON.stringify({ ok: failed === 0, checks: findings }, null, 2));
  else {
    for (const line of formatFindings(findings)) output.print(line);
    output.print(summary(findings, output));
  }
  return failed === 0 ? 0 : 1;
}

function summary(findings: readonly Finding[], output: Output): string {
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const text = `${count('ok')} ready, ${count('warn')} to note, ${count('fail')} in the way`;
  return paint(output, count('fail') > 0 ? 'red' : 'green', text);
}

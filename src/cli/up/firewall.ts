import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, which } from '../doctor/probes.ts';

/** What `iptables-save` said before our own engine started, kept in its folder. */
export const firewallFile = (folder: string): string => join(folder, 'iptables.before');

/**
 * The present rules without Docker's chains, jumps and bridge, with the chain policies of before.
 * Everything that others added meanwhile stays.
 */
export function withoutDocker(now: string, before: string): string {
  const policies = new Map<string, string>();
  let table = '';
  for (const line of before.split('\n')) {
    if (line.startsWith('*')) table = line;
    const policy = /^:(\S+) (ACCEPT|DROP)/.exec(line);
    if (policy !== null) policies.set(`${table} ${policy[1]}`, policy[2]!);
  }
  return now.split('\n').flatMap((line) => {
    if (line.startsWith('*')) table = line;
    if (line.startsWith(':DOCKER') || /(^-A DOCKER|-j DOCKER|[io] docker0|\b172\.17\.0\.0\/16 ! -o docker0)/.test(line)) return [];
    const chain = /^:(\S+) (ACCEPT|DROP)(.*)$/.exec(line);
    if (chain === null) return [line];
    return [`:${chain[1]} ${policies.get(`${table} ${chain[1]}`) ?? 'ACCEPT'}${chain[3]}`];
  }).join('\n');
}

/** Tables that were not there before and hold no rule. */
export function emptiedTables(rest: string, before: string): string[] {
  const tables = rest.split(/^(?=\*)/m).map((part) => ({ name: /^\*(\S+)/.exec(part)?.[1], rules: /^-A /m.test(part) }));
  return tables.flatMap(({ name, rules }) => (name === undefined || rules || new RegExp(`^\\*${name}$`, 'm').test(before) ? [] : [name]));
}

/** Takes back what our own engine did to the firewall, and its bridge. @returns what was removed. */
export function forgetFirewall(folder: string): string[] {
  const said: string[] = [];
  const file = firewallFile(folder);
  const now = which('iptables-save') === undefined ? undefined : run('iptables-save', []).stdout;
  if (now !== undefined && existsSync(file) && now.includes('DOCKER')) {
    const before = readFileSync(file, 'utf8');
    const rest = withoutDocker(now, before);
    const restored = spawnSync(which('iptables-restore')!, [], { input: rest, encoding: 'utf8' });
    if (restored.status === 0) said.push("removed Docker's firewall chains");
    if (restored.status === 0) for (const name of emptiedTables(rest, before)) run('nft', ['delete', 'table', 'ip', name]);
    else said.push(`Docker's firewall chains stay: ${restored.stderr.trim()}`);
  }
  if (existsSync('/sys/class/net/docker0') && run('ip', ['link', 'del', 'docker0']).status === 0) said.push('removed link docker0');
  return said;
}

/** The security groups of servers: what compute's actions of old change on all ports of one (nova/network/security_group_api.py). */
import { conflict, badRequest, notFound } from '../../../kernel/fault.ts';
import type { ShownSecurityGroup } from '../client.ts';
import type { NetworkDeps } from '../deps.ts';
import { updatePort } from '../model/ports.ts';
import { portsOfDevices } from '../store/ports.ts';
import { findGroupsNamed, findSecurityGroups, rulesOfGroups } from '../store/security-groups.ts';
import type { PortRow, SecurityGroupRow, Tx } from '../store/tables.ts';

/** See `NetworkClient.changeServerGroup`. */
export async function changeServerGroup(env: NetworkDeps, server_id: string, change: 'add' | 'remove', name: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    const ports = await portsOfDevices(tx, [server_id]);
    const [first] = ports;
    if (first === undefined) throw notFound('network.server-has-no-ports', `instance_id ${server_id} could not be found as device id on any ports`);
    const group = await groupNamed(tx, first.project_id, name);
    if (change === 'add') await addTo(env, tx, ports, group);
    else await removeFrom(env, tx, ports, group, server_id);
  });
}

async function groupNamed(tx: Tx, project_id: string, name: string): Promise<SecurityGroupRow> {
  const found = await findGroupsNamed(tx, project_id, [name]);
  const byId = found.find((group) => group.id === name);
  if (byId === undefined && found.length > 1) throw conflict('network.group-ambiguous', `Multiple security groups found matching '${name}'. Use an ID to be more specific.`);
  const group = byId ?? found[0];
  if (group === undefined) throw notFound('network.group-not-found', `Security group ${name} not found for project ${project_id}.`);
  return group;
}

const groupsOf = (port: PortRow): string[] => JSON.parse(port.security_groups) as string[];

async function addTo(env: NetworkDeps, tx: Tx, ports: readonly PortRow[], group: SecurityGroupRow): Promise<void> {
  if (ports.some((port) => port.port_security_enabled === 0)) {
    throw badRequest('network.group-needs-security', 'Network requires port_security_enabled and subnet associated in order to apply security groups.');
  }
  for (const port of ports) {
    if (!groupsOf(port).includes(group.id)) await updatePort(env, tx, port.id, { security_groups: [...groupsOf(port), group.id] }, { any_group: true });
  }
}

async function removeFrom(env: NetworkDeps, tx: Tx, ports: readonly PortRow[], group: SecurityGroupRow, server_id: string): Promise<void> {
  const members = ports.filter((port) => groupsOf(port).includes(group.id));
  if (members.length === 0) throw notFound('network.group-not-on-server', `Security group ${group.name} not associated with the instance ${server_id}`);
  for (const port of members) await updatePort(env, tx, port.id, { security_groups: groupsOf(port).filter((id) => id !== group.id) }, { any_group: true });
}

/** See `NetworkClient.securityGroups`. */
export async function shownSecurityGroups(env: NetworkDeps, ids: readonly string[]): Promise<ShownSecurityGroup[]> {
  const groups = await findSecurityGroups(env.db.read, ids);
  const rules = await rulesOfGroups(env.db.read, ids);
  return groups.map((group) => ({
    id: group.id,
    name: group.name,
    description: group.description,
    project_id: group.project_id,
    rules: rules.filter((rule) => rule.security_group_id === group.id),
  }));
}

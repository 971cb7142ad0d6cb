/** What tests and measurements put into a cloud over its public APIs. */
import type { Session } from '../../src/cli/api.ts';
import { ApiError } from '../../src/cli/api.ts';
import { within } from './real-cloud.ts';

export async function makeFlavor(admin: Session, name: string, size: { vcpus?: number; ram?: number; disk?: number } = {}): Promise<string> {
  const { flavor } = await admin.call('compute', 'POST', '/flavors', { flavor: { name, vcpus: 1, ram: 64, disk: 0, ...size } });
  return flavor.id;
}

/** @param bytes an archive as `docker save` writes it. */
export async function makeImage(admin: Session, name: string, bytes: Buffer): Promise<string> {
  const image = await admin.call('image', 'POST', '/images', { name, visibility: 'public', container_format: 'docker', disk_format: 'raw' });
  await admin.upload('image', `/images/${image.id}/file`, bytes);
  return image.id;
}

export async function makeNetwork(session: Session, name: string, cidr: string, attributes: object = {}, subnet: object = {}): Promise<string> {
  const { network } = await session.call('network', 'POST', '/networks', { network: { name, ...attributes } });
  await session.call('network', 'POST', '/subnets', { subnet: { name, network_id: network.id, ip_version: 4, cidr, ...subnet } });
  return network.id;
}

/** A flat external network in which the host has a leg, so that guests answer to this machine. */
export function makePublicNetwork(admin: Session, prefix = '10.10.77'): Promise<string> {
  const attributes = { 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' };
  return makeNetwork(admin, 'public', `${prefix}.0/24`, attributes, { gateway_ip: `${prefix}.1`, allocation_pools: [{ start: `${prefix}.10`, end: `${prefix}.250` }] });
}

/** A security group that lets everything in. */
export async function makeOpenGroup(session: Session, name = 'open'): Promise<string> {
  const { security_group } = await session.call('network', 'POST', '/security-groups', { security_group: { name } });
  const rule = { security_group_id: security_group.id, direction: 'ingress', ethertype: 'IPv4' };
  await session.call('network', 'POST', '/security-group-rules', { security_group_rule: rule });
  return security_group.id;
}

export interface ServerView {
  id: string;
  name: string;
  status: string;
  addresses: Record<string, { addr: string; version: number }[]>;
  fault?: { message: string; details?: string };
}

export async function createServer(session: Session, server: { name: string; imageRef: string; flavorRef: string; networks: unknown; [key: string]: unknown }): Promise<string> {
  return (await session.call('compute', 'POST', '/servers', { server })).server.id;
}

export async function showServer(session: Session, id: string): Promise<ServerView> {
  return (await session.call('compute', 'GET', `/servers/${id}`)).server;
}

/** Waits for a status. @throws Error at once when the server goes to ERROR instead. */
export async function waitServer(session: Session, id: string, status: string, timeout_ms = 120_000): Promise<ServerView> {
  let seen: ServerView | undefined;
  let failed = false;
  await within(timeout_ms, `server ${id} is not ${status}`, () => JSON.stringify(seen), async () => {
    seen = await showServer(session, id);
    failed = seen.status === 'ERROR' && status !== 'ERROR';
    return failed || seen.status === status;
  });
  if (failed) throw new Error(`server ${id} is in ERROR: ${seen!.fault?.message}`);
  return seen!;
}

/** Asks for the deletion and waits until the server is gone. */
export async function deleteServer(session: Session, id: string, timeout_ms = 120_000): Promise<void> {
  await deleteIfThere(session, 'compute', `/servers/${id}`);
  await within(timeout_ms, `server ${id} is not gone`, () => '', () => isGone(session, id));
}

export async function isGone(session: Session, id: string): Promise<boolean> {
  try {
    await showServer(session, id);
    return false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return true;
    throw error;
  }
}

async function deleteIfThere(session: Session, service: 'compute' | 'network', path: string): Promise<void> {
  try {
    await session.call(service, 'DELETE', path);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  }
}

export function addressOf(server: ServerView): string {
  const address = Object.values(server.addresses).flat().find((one) => one.version === 4)?.addr;
  if (address === undefined) throw new Error(`server ${server.id} has no address`);
  return address;
}

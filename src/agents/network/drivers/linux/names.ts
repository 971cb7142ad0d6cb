import { badRequest } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';

/**
 * Every name in the kernel follows from the cloud's prefix and an id, so nothing is ever stored and a
 * restarted agent finds its own things again. An interface name has at most 15 characters.
 */
export const bridgeName = (network_id: string): string => `brq${network_id.slice(0, 11)}`;
export const tapName = (port_id: string): string => `tap${port_id.slice(0, 11)}`;
export const vxlanName = (network_id: string): string => `vxl${network_id.slice(0, 11)}`;
/** The bridge's end of the host's leg. */
export const legName = (network_id: string): string => `ext${network_id.slice(0, 11)}`;
/** The host's end of its leg, in the host's own namespace. */
export const hostLegName = (cloud: string, network_id: string): string => `${cloud}-${network_id.slice(0, 8)}`;
export const guestNamespace = (cloud: string, device_id: string): string => `${cloud}-${device_id}`;
export const routerNamespace = (cloud: string, router_id: string): string => `${cloud}-r-${router_id}`;
/** The bridge's end of a router's leg. */
export const routerEnd = (port_id: string): string => `rtr${port_id.slice(0, 11)}`;
/** The router's end. */
export const routerLeg = (leg: { port_id: string; is_gateway: boolean }): string => `${leg.is_gateway ? 'qg' : 'qr'}-${leg.port_id.slice(0, 11)}`;
/** Of a network: where its guests reach the metadata service. */
export const metadataNamespace = (cloud: string, network_id: string): string => `${cloud}-m-${network_id}`;
/** The bridge's end of its leg. */
export const metadataEnd = (network_id: string): string => `mdt${network_id.slice(0, 11)}`;
export const METADATA_LEG = 'md0';
export const namespacePath = (name: string): string => `/run/netns/${name}`;

const CLOUD = /^[a-z][a-z0-9]{0,5}$/;

/** @throws Fault `network.bad-prefix` when names made of the prefix would not fit an interface name. */
export function checkCloud(cloud: string): void {
  if (!CLOUD.test(cloud)) {
    throw badRequest('network.bad-prefix', `Cloud prefix '${cloud}' must be 1 to 6 lower-case letters and digits, a letter first.`);
  }
}

/** The device a namespace of this cloud belongs to; undefined for anything else. */
export function deviceOf(cloud: string, namespace: string): string | undefined {
  if (!namespace.startsWith(`${cloud}-`)) return undefined;
  const id = namespace.slice(cloud.length + 1);
  return isUuid(id) ? id : undefined;
}

/** The router a namespace of this cloud belongs to; undefined for anything else. */
export function routerOf(cloud: string, namespace: string): string | undefined {
  return deviceOf(`${cloud}-r`, namespace);
}

/** The network whose metadata a namespace of this cloud is for; undefined for anything else. */
export function metadataOf(cloud: string, namespace: string): string | undefined {
  return deviceOf(`${cloud}-m`, namespace);
}

export function isHostLeg(cloud: string, link: string): boolean {
  return link.startsWith(`${cloud}-`) && /^[0-9a-f]{8}$/.test(link.slice(cloud.length + 1));
}

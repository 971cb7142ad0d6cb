/** Neutron's errors: its type names and messages (neutron_lib.exceptions, neutron.extensions.securitygroup) and its body. */
import { badRequest, conflict, Fault, forbidden, notFound, preconditionFailed, unavailable } from '../../kernel/fault.ts';
import type { Problem } from '../../kernel/api/schema.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';

/** Types of faults that no code of this service throws, by status. */
const BARE_TYPES: Readonly<Record<number, string>> = {
  400: 'HTTPBadRequest', 401: 'HTTPUnauthorized', 403: 'PolicyNotAuthorized', 404: 'HTTPNotFound', 405: 'HTTPMethodNotAllowed',
  409: 'HTTPConflict', 412: 'HTTPPreconditionFailed', 413: 'HTTPRequestEntityTooLarge', 415: 'HTTPUnsupportedMediaType',
  500: 'HTTPInternalServerError', 503: 'HTTPServiceUnavailable',
};

/** `{"NeutronError":{"type","message","detail":""}}` */
export function formatFault(fault: Fault, _request: FaultRequest): WireFault {
  const type = fault.type ?? BARE_TYPES[fault.status] ?? 'HTTPInternalServerError';
  const body = fault.status === 501
    ? { NotImplementedError: { type, message: fault.message, detail: '' } }
    : { NeutronError: { type, message: messageOf(fault), detail: '' } };
  return { contentType: 'application/json', body: JSON.stringify(body) };
}

function messageOf(fault: Fault): string {
  if (fault.code === 'policy.forbidden') {
    const rule = /allow (\S+) to be/.exec(fault.message)?.[1];
    if (rule !== undefined) return `rule:${rule} is disallowed by policy`;
  }
  if (fault.status === 500) return 'Request Failed: internal server error while processing your request.';
  return fault.message;
}

/** A body or query that is not even of the right shape. */
export function invalid(problem: Problem, where: 'body' | 'query'): Fault {
  if (where === 'query') return plainBadRequest(`Invalid input for ${problem.field}. Reason: ${problem.message}.`);
  return plainBadRequest(problem.field === '' ? 'Body contains invalid data' : `Invalid input for ${problem.field}. Reason: ${problem.message}.`);
}

/** Type `HTTPBadRequest`: what webob raises in neutron's API layer. */
export function plainBadRequest(message: string): Fault {
  return badRequest('network.bad-request', message, { type: 'HTTPBadRequest' });
}

export function invalidAttribute(attribute: string, reason: string): Fault {
  return plainBadRequest(`Invalid input for ${attribute}. Reason: ${reason}.`);
}

export function invalidInput(message: string): Fault {
  return badRequest('network.invalid-input', `Invalid input for operation: ${message}.`, { type: 'InvalidInput' });
}

/** Type `BadRequest`: `Bad subnets request: …` */
export function badResource(resource: string, message: string): Fault {
  return badRequest('network.bad-resource', `Bad ${resource} request: ${message}.`, { type: 'BadRequest' });
}

const typed400 = (type: string, message: string): Fault => badRequest(`network.${kebab(type)}`, message, { type });
const typed404 = (type: string, message: string): Fault => notFound(`network.${kebab(type)}`, message, { type });
const typed409 = (type: string, message: string): Fault => conflict(`network.${kebab(type)}`, message, { type });

function kebab(type: string): string {
  return type.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

export const networkNotFound = (id: string): Fault => typed404('NetworkNotFound', `Network ${id} could not be found.`);
export const subnetNotFound = (id: string): Fault => typed404('SubnetNotFound', `Subnet ${id} could not be found.`);
export const portNotFound = (id: string): Fault => typed404('PortNotFound', `Port ${id} could not be found.`);
export const securityGroupNotFound = (id: string): Fault => typed404('SecurityGroupNotFound', `Security group ${id} does not exist`);
export const securityGroupRuleNotFound = (id: string): Fault => typed404('SecurityGroupRuleNotFound', `Security group rule ${id} does not exist`);
export const agentNotFound = (id: string): Fault => typed404('AgentNotFound', `Agent ${id} could not be found.`);
export const tagNotFound = (tag: string): Fault => typed404('TagNotFound', `Tag ${tag} could not be found.`);
export const tagResourceNotFound = (resource: string, id: string): Fault => typed404('TagResourceNotFound', `Resource ${resource} ${id} could not be found.`);
export const extensionNotFound = (alias: string): Fault => typed404('HTTPNotFound', `Extension with alias ${alias} does not exist`);
export const projectQuotaNotFound = (id: string): Fault => typed404('TenantQuotaNotFound', `Quota for project ${id} could not be found.`);
export const zoneNotFound = (zone: string): Fault => typed404('AvailabilityZoneNotFound', `AvailabilityZone ${zone} could not be found.`);
export const quotaMissingProject = (): Fault => typed400('QuotaMissingTenant', 'Tenant-id was missing from quota request.');

export const networkInUse = (id: string, ports?: readonly string[]): Fault =>
  typed409('NetworkInUse', `Unable to complete operation on network ${id}. There are one or more ports still in use on the network${ports === undefined || ports.length === 0 ? '' : `, id for these ports is: ${ports.join(',')}`}.`);
export const subnetInUse = (id: string): Fault =>
  typed409('SubnetInUse', `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`);
export const macInUse = (network: string, mac: string): Fault =>
  typed409('MacAddressInUse', `Unable to complete operation for network ${network}. The mac address ${mac} is in use.`);
export const addressAllocated = (ip: string, subnet: string): Fault =>
  typed409('IpAddressAlreadyAllocated', `IP address ${ip} already allocated in subnet ${subnet}`);
export const noAddressLeft = (network: string): Fault =>
  conflict('network.no-address', `No more IP addresses available on network ${network}.`, { type: 'IpAddressGenerationFailure' });
export const overQuota = (resources: readonly string[]): Fault =>
  typed409('OverQuota', `Quota exceeded for resources: [${resources.map((name) => `'${name}'`).join(', ')}].`);
export const flatNetworkInUse = (physical: string): Fault =>
  typed409('FlatNetworkInUse', `Unable to create the flat network. Physical network ${physical} is in use.`);
export const tunnelIdInUse = (id: number): Fault =>
  typed409('TunnelIdInUse', `Unable to create the network. The tunnel ID ${id} is in use.`);
export const noNetworkAvailable = (): Fault =>
  unavailable('network.no-network-available', 'Unable to create the network. No project network is available for allocation.', { type: 'NoNetworkAvailable' });
export const noMacAvailable = (network: string): Fault =>
  unavailable('network.no-mac', `Unable to generate unique mac on network ${network}.`, { type: 'NetworkMacAddressGenerationFailure' });
export const invalidSharedSetting = (name: string): Fault =>
  typed409('InvalidSharedSetting', `Unable to reconfigure sharing settings for network ${name}. Multiple projects are using it.`);
export const mtuConflict = (network: string, mtu: number): Fault =>
  typed409('NetworkMTUSubnetConflict', `MTU of ${network} is not valid, subnet requires a minimum of ${mtu}`);
export const gatewayConflict = (ip: string, pool: string): Fault =>
  typed409('GatewayConflictWithAllocationPools', `Gateway ip ${ip} conflicts with allocation pool ${pool}.`);
export const invalidPool = (pool: string): Fault => typed400('InvalidAllocationPool', `The allocation pool ${pool} is not valid.`);
export const poolOutOfBounds = (pool: string, cidr: string): Fault =>
  typed400('OutOfBoundsAllocationPool', `The allocation pool ${pool} spans beyond the subnet cidr ${cidr}.`);
export const poolsOverlap = (one: string, two: string, cidr: string): Fault =>
  typed409('OverlappingAllocationPools', `Found overlapping allocation pools: ${one} ${two} for subnet ${cidr}.`);
export const nameserversExhausted = (subnet: string, quota: number): Fault =>
  typed400('DNSNameServersExhausted', `Unable to complete operation for ${subnet}. The number of DNS nameservers exceeds the limit ${quota}.`);
export const hostRoutesExhausted = (subnet: string, quota: number): Fault =>
  typed400('HostRoutesExhausted', `Unable to complete operation for ${subnet}. The number of host routes exceeds the limit ${quota}.`);
export const invalidIpForNetwork = (ip: string): Fault =>
  typed400('InvalidIpForNetwork', `IP address ${ip} is not a valid IP for any of the subnets on the specified network.`);
export const invalidIpForSubnet = (ip: string): Fault =>
  typed400('InvalidIpForSubnet', `IP address ${ip} is not a valid IP for the specified subnet.`);
export const autoAddressSubnet = (ip: string, subnet: string): Fault =>
  typed400('AllocationOnAutoAddressSubnet', `IPv6 address ${ip} cannot be directly assigned to a port on subnet ${subnet} as the subnet is configured for automatic addresses`);
export const servicePortInUse = (id: string, reason: string): Fault =>
  typed409('ServicePortInUse', `Port ${id} cannot be deleted directly via the port API: ${reason}.`);
export const portBound = (id: string, vif: string, old_mac: string, new_mac: string): Fault =>
  typed409('PortBound', `Unable to complete operation on port ${id}, port is already bound, port type: ${vif}, old_mac ${old_mac}, new_mac ${new_mac}.`);
export const portInUse = (id: string, network: string, device: string): Fault =>
  typed409('PortInUse', `Unable to complete operation on port ${id} for network ${network}. Port already has an attached device ${device}.`);
export const addressPairNeedsSecurity = (): Fault =>
  typed409('AddressPairAndPortSecurityRequired', 'Port Security must be enabled in order to have allowed address pairs on a port.');
export const portHasSecurityGroup = (): Fault =>
  typed409('PortSecurityPortHasSecurityGroup', 'Port has security group associated. Cannot disable port security or IP address until security group is removed.');
export const portSecurityRequired = (): Fault =>
  typed400('PortSecurityAndIPRequiredForSecurityGroups', 'Port security must be enabled and port must have an IP address in order to use security groups.');
export const addressPairsExhausted = (quota: number): Fault =>
  typed400('AllowedAddressPairExhausted', `The number of allowed address pair exceeds the maximum ${quota}.`);
export const addressPairNeedsIp = (): Fault => typed400('AllowedAddressPairsMissingIP', 'AllowedAddressPair must contain ip_address');
export const duplicateAddressPair = (mac: string | undefined, ip: string): Fault =>
  typed400('DuplicateAddressPairInRequest', `Request contains duplicate address pair: mac_address ${mac ?? 'None'} ip_address ${ip}.`);
export const invalidCidr = (input: string): Fault => typed400('InvalidCIDR', `Invalid CIDR ${input} given as IP prefix.`);
export const deviceNotOwned = (id: string): Fault =>
  typed409('DeviceIDNotOwnedByTenant', `The following device_id ${id} is not owned by your project or matches another project router.`);
export const projectFilterConflict = (): Fault =>
  typed400('TenantIdProjectIdFilterConflict', 'Both tenant_id and project_id passed as filters.');

export const securityGroupInUse = (id: string): Fault => typed409('SecurityGroupInUse', `Security Group ${id} in use.`);
export const defaultGroupRemoval = (): Fault =>
  typed409('SecurityGroupCannotRemoveDefault', 'Insufficient rights for removing default security group.');
export const defaultGroupUpdate = (): Fault =>
  typed409('SecurityGroupCannotUpdateDefault', 'Updating default security group not allowed.');
export const defaultGroupExists = (): Fault => typed409('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.');
export const securityGroupConflict = (reason: string): Fault =>
  typed409('SecurityGroupConflict', `Error ${reason} while attempting the operation.`);
export const ruleExists = (id: string): Fault =>
  typed409('SecurityGroupRuleExists', `Security group rule already exists. Rule id is ${id}.`);
export const duplicateRuleInPost = (): Fault => typed409('DuplicateSecurityGroupRuleInPost', 'Duplicate Security Group Rule in POST.');
/** One of neutron.extensions.securitygroup's refusals of a rule, all 400. */
export const ruleInvalid = (type: string, message: string): Fault => typed400(type, message);

export const revisionMismatch = (wanted: number, current: number): Fault =>
  preconditionFailed('network.revision-mismatch', `Constrained to ${wanted}, but current revision is ${current}`, { type: 'HTTPPreconditionFailed' });
export const externalAttachForbidden = (network: string): Fault =>
  forbidden('network.external-attach-forbidden', `It is not allowed to create an interface on external network ${network}`, { type: 'ExternalNetworkAttachForbidden' });

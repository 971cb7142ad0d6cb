/** What routers and floating IPs refuse, in neutron's words (neutron_lib.exceptions.l3, neutron_lib.exceptions.extraroute). */
import { badRequest, conflict, type Fault, notFound } from '../../kernel/fault.ts';
import { show } from './model/validate.ts';

export const routerNotFound = (id: string): Fault => notFound('network.router-not-found', `Router ${id} could not be found`, { type: 'RouterNotFound' });
export const routerInUse = (id: string, ports: readonly string[]): Fault =>
  conflict('network.router-in-use', `Router ${id} has ports still attached: ${ports.join(', ')}`, { type: 'RouterInUse' });
export const routerInterfaceNotFound = (router: string, port: string): Fault =>
  notFound('network.router-interface-not-found', `Router ${router} does not have an interface with id ${port}`, { type: 'RouterInterfaceNotFound' });
export const routerInterfaceNotFoundForSubnet = (router: string, subnet: string): Fault =>
  notFound('network.router-interface-not-found-for-subnet', `Router ${router} has no interface on subnet ${subnet}`, { type: 'RouterInterfaceNotFoundForSubnet' });
export const routerInterfaceInUseByFloatingIp = (router: string, subnet: string): Fault =>
  conflict('network.router-interface-in-use', `Router interface for subnet ${subnet} on router ${router} cannot be deleted, as it is required by one or more floating IPs.`, { type: 'RouterInterfaceInUseByFloatingIP' });
export const routerInterfaceInUseByRoute = (router: string, subnet: string): Fault =>
  conflict('network.router-interface-in-use', `Router interface for subnet ${subnet} on router ${router} cannot be deleted, as it is required by one or more routes.`, { type: 'RouterInterfaceInUseByRoute' });
export const gatewayInUseByFloatingIp = (router: string, network: string): Fault =>
  conflict('network.gateway-in-use', `Gateway cannot be updated for router ${router}, since a gateway to external network ${network} is required by one or more floating IPs.`, { type: 'RouterExternalGatewayInUseByFloatingIp' });
export const invalidRoutes = (routes: readonly unknown[], reason: string): Fault =>
  badRequest('network.invalid-routes', `Invalid format for routes: ${show(routes)}, ${reason}`, { type: 'InvalidRoutes' });
export const subnetMismatch = (port: string, subnet: string): Fault =>
  badRequest('network.subnet-mismatch', `Subnet on port ${port} does not match the requested subnet ${subnet}.`, { type: 'SubnetMismatchForPort' });
export const portInUse = (port: string, network: string, device: string): Fault =>
  conflict('network.port-in-use', `Unable to complete operation on port ${port} for network ${network}. Port already has an attached device ${device}.`, { type: 'PortInUse' });

export const floatingIpNotFound = (id: string): Fault => notFound('network.floating-ip-not-found', `Floating IP ${id} could not be found`, { type: 'FloatingIPNotFound' });
export const noGatewayForFloatingIp = (subnet: string, network: string, port: string): Fault =>
  notFound('network.no-gateway-for-floating-ip', `External network ${network} is not reachable from subnet ${subnet}.  Therefore, cannot associate Port ${port} with a Floating IP.`, { type: 'ExternalGatewayForFloatingIPNotFound' });
export const floatingIpPortAssociated = (fip: { id: string; floating_ip_address: string; floating_network_id: string }, port: string, fixed: string): Fault =>
  conflict('network.floating-ip-associated', `Cannot associate floating IP ${fip.floating_ip_address} (${fip.id}) with port ${port} using fixed IP ${fixed}, as that fixed IP already has a floating IP on external network ${fip.floating_network_id}.`, { type: 'FloatingIPPortAlreadyAssociated' });
export const externalAddressesExhausted = (network: string): Fault =>
  badRequest('network.external-addresses-exhausted', `Unable to find any IP address on external network ${network}.`, { type: 'ExternalIpAddressExhausted' });

export const externalNetworkInUse = (id: string): Fault =>
  conflict('network.external-network-in-use', `External network ${id} cannot be updated to be made non-external, since it has existing gateway ports.`, { type: 'ExternalNetworkInUse' });
export const gatewayIpInUse = (ip: string, port: string): Fault =>
  conflict('network.gateway-ip-in-use', `Current gateway ip ${ip} already in use by port ${port}. Unable to update.`, { type: 'GatewayIpInUse' });

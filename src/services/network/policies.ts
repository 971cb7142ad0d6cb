/** Neutron's rules and today's defaults (neutron/conf/policies). */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';

const ADMIN = 'rule:admin_only';
const SERVICE = 'rule:service_api';
const MEMBER = 'role:member and project_id:%(project_id)s';
const READER = 'role:reader and project_id:%(project_id)s';
const MANAGER = 'role:manager and project_id:%(project_id)s';
const NET_READER = 'role:reader and rule:network_owner';
const NET_MEMBER = 'role:member and rule:network_owner';
const NET_MANAGER = 'role:manager and rule:network_owner';
const SG_READER = 'role:reader and rule:sg_owner';
const SG_MEMBER = 'role:member and rule:sg_owner';

const or = (...parts: string[]): string => parts.map((part) => (part.includes(' ') && !part.startsWith('not ') ? `(${part})` : part)).join(' or ');

/** A rule that others refer to. */
const named = (name: string, text: string, description: string): PolicyRule => policyRule(name, text, [], description);

const METHODS: Readonly<Record<string, string>> = { create: 'POST', get: 'GET', update: 'PUT', delete: 'DELETE' };
/** Resources that are listed only, by the rule that shows one. */
const LISTS: Readonly<Record<string, string>> = { availability_zone: '/v2.0/availability_zones', service_provider: '/v2.0/service-providers' };

/** `create_network:shared` → the calls, the scope and a sentence. */
function rule(name: string, text: string): PolicyRule {
  const [action, attribute] = name.split(/:(.*)/s) as [string, string | undefined];
  const [verb, ...words] = action.split('_') as [string, ...string[]];
  const object = words.join(' ').replace(/\b(floating)?ip\b/, (_, floating = '') => `${floating}${floating === '' ? '' : ' '}IP`);
  const what = `${/^[aeiou]/.test(object) ? 'an' : 'a'} ${object}`;
  const does = verb === 'get' ? 'show' : verb;
  const description = attribute === undefined ? `${does} ${what}` : `${does} the attribute ${attribute} of ${what}`;
  return policyRule(name, text, ['project'], `${description[0]!.toUpperCase()}${description.slice(1)}.`, ...operationsOf(verb, words));
}

function operationsOf(verb: string, words: readonly string[]): string[] {
  const listed = LISTS[words.join('_')];
  if (listed !== undefined) return [`GET ${listed}`];
  const resource = words.join('-');
  const list = `/v2.0/${resource.endsWith('y') ? `${resource.slice(0, -1)}ies` : `${resource}s`}`;
  const one = `${METHODS[verb] ?? 'GET'} ${list}/{id}`;
  if (verb === 'create') return [`POST ${list}`];
  return verb === 'get' ? [`GET ${list}`, one] : [one];
}

const each = (names: readonly string[], text: string): PolicyRule[] => names.map((name) => rule(name, text));

const owners: PolicyRule[] = [
  named('network_owner', 'project_id:%(network:project_id)s', 'The project that the network belongs to.'),
  named('sg_owner', 'project_id:%(security_group:project_id)s', 'The project that the security group belongs to.'),
  named('shared', "'True':%(shared)s", 'A shared network, and what is on it.'),
  named('external', "'True':%(router:external)s", 'An external network.'),
  named('external_network', "'True':%(router:external)s", 'A subnet of an external network.'),
  named('network_device', "'True':%(network_device)s", "A port of the network's own devices."),
];

const networks: PolicyRule[] = [
  rule('create_network', or(ADMIN, MEMBER)),
  ...each(['create_network:shared', 'create_network:router:external', 'create_network:is_default', 'create_network:provider:network_type', 'create_network:provider:physical_network', 'create_network:provider:segmentation_id'], ADMIN),
  rule('create_network:port_security_enabled', or(ADMIN, MEMBER)),
  rule('get_network', or(ADMIN, READER, SERVICE, 'rule:shared', 'rule:external')),
  ...each(['get_network:provider:network_type', 'get_network:provider:physical_network', 'get_network:provider:segmentation_id'], ADMIN),
  rule('update_network', or(ADMIN, MEMBER)),
  ...each(['update_network:shared', 'update_network:router:external', 'update_network:is_default', 'update_network:provider:network_type', 'update_network:provider:physical_network', 'update_network:provider:segmentation_id'], ADMIN),
  rule('update_network:port_security_enabled', or(ADMIN, MEMBER)),
  rule('delete_network', or(ADMIN, MEMBER)),
  rule('get_network:tags', or(ADMIN, READER)),
  ...each(['create_network:tags', 'update_network:tags', 'delete_network:tags'], or(ADMIN, MEMBER)),
];

const subnets: PolicyRule[] = [
  rule('create_subnet', or(ADMIN, NET_MEMBER)),
  rule('get_subnet', or(READER, 'rule:shared', 'rule:external_network', ADMIN, NET_READER, SERVICE)),
  ...each(['update_subnet', 'delete_subnet'], or(MEMBER, ADMIN, NET_MEMBER)),
  rule('get_subnet:tags', or(READER, ADMIN, NET_READER)),
  ...each(['create_subnet:tags', 'update_subnet:tags', 'delete_subnet:tags'], or(MEMBER, ADMIN, NET_MEMBER)),
];

const ports: PolicyRule[] = [
  rule('create_port', or(ADMIN, SERVICE, NET_MEMBER, 'rule:shared')),
  ...each(['create_port:device_id', 'create_port:binding:vnic_type'], or(ADMIN, MEMBER, SERVICE)),
  rule('create_port:device_owner', or('not rule:network_device', ADMIN, SERVICE, NET_MEMBER)),
  ...each(['create_port:mac_address', 'create_port:fixed_ips:ip_address', 'create_port:port_security_enabled'], or(ADMIN, SERVICE, NET_MEMBER)),
  ...each(['create_port:fixed_ips', 'create_port:fixed_ips:subnet_id'], or(ADMIN, SERVICE, NET_MEMBER, 'rule:shared')),
  ...each(['create_port:binding:host_id', 'update_port:binding:host_id'], or(ADMIN, SERVICE)),
  ...each(['create_port:binding:profile', 'update_port:binding:profile'], or(ADMIN, SERVICE)),
  ...each(['create_port:allowed_address_pairs', 'create_port:allowed_address_pairs:mac_address', 'create_port:allowed_address_pairs:ip_address'], or(ADMIN, NET_MEMBER, SERVICE)),
  rule('get_port', or(ADMIN, SERVICE, NET_READER, READER)),
  ...each(['get_port:binding:vif_type', 'get_port:binding:vif_details', 'get_port:binding:host_id', 'get_port:binding:profile'], or(ADMIN, SERVICE)),
  rule('update_port', or(ADMIN, SERVICE, MEMBER)),
  ...each(['update_port:device_id'], or(ADMIN, MEMBER, SERVICE)),
  rule('update_port:binding:vnic_type', or(ADMIN, SERVICE, MEMBER)),
  rule('update_port:device_owner', or('not rule:network_device', ADMIN, SERVICE, NET_MEMBER)),
  rule('update_port:mac_address', or(ADMIN, SERVICE, NET_MANAGER)),
  ...each(['update_port:fixed_ips:ip_address', 'update_port:port_security_enabled', 'update_port:fixed_ips'], or(ADMIN, SERVICE, NET_MEMBER)),
  rule('update_port:fixed_ips:subnet_id', or(ADMIN, SERVICE, NET_MEMBER, 'rule:shared')),
  ...each(['update_port:allowed_address_pairs', 'update_port:allowed_address_pairs:mac_address', 'update_port:allowed_address_pairs:ip_address'], or(ADMIN, NET_MEMBER, SERVICE)),
  rule('delete_port', or(ADMIN, SERVICE, NET_MEMBER, MEMBER)),
  rule('get_port:tags', or(ADMIN, NET_READER, READER)),
  ...each(['create_port:tags', 'update_port:tags'], or(ADMIN, MEMBER)),
  rule('delete_port:tags', or(ADMIN, NET_MEMBER, MEMBER)),
];

const securityGroups: PolicyRule[] = [
  ...each(['create_security_group', 'update_security_group', 'delete_security_group', 'create_security_group:tags', 'update_security_group:tags', 'delete_security_group:tags'], or(ADMIN, MEMBER)),
  ...each(['get_security_group', 'get_security_group:tags'], or(ADMIN, READER)),
  rule('create_security_group_rule', or(ADMIN, SG_MEMBER)),
  rule('get_security_group_rule', or(ADMIN, SG_READER)),
  rule('delete_security_group_rule', or(ADMIN, SG_MEMBER)),
];

const routers: PolicyRule[] = [
  ...each(['create_router', 'create_router:external_gateway_info', 'create_router:external_gateway_info:network_id', 'create_router:tags'], or(ADMIN, MEMBER)),
  ...each(['create_router:external_gateway_info:enable_snat', 'create_router:external_gateway_info:external_fixed_ips'], ADMIN),
  ...each(['get_router', 'get_router:tags'], or(ADMIN, READER)),
  ...each(['get_router:ha', 'get_router:distributed'], ADMIN),
  ...each(['update_router', 'update_router:external_gateway_info', 'update_router:external_gateway_info:network_id', 'update_router:tags'], or(ADMIN, MEMBER)),
  ...each(['update_router:external_gateway_info:enable_snat', 'update_router:external_gateway_info:external_fixed_ips'], ADMIN),
  ...each(['delete_router', 'delete_router:tags'], or(ADMIN, MEMBER)),
  policyRule('add_router_interface', or(ADMIN, MEMBER), ['project'], 'Connect a router to a subnet.', 'PUT /v2.0/routers/{id}/add_router_interface'),
  policyRule('remove_router_interface', or(ADMIN, MEMBER), ['project'], 'Disconnect a router from a subnet.', 'PUT /v2.0/routers/{id}/remove_router_interface'),
  policyRule('add_extraroutes', or(ADMIN, MEMBER), ['project'], 'Add routes to a router.', 'PUT /v2.0/routers/{id}/add_extraroutes'),
  policyRule('remove_extraroutes', or(ADMIN, MEMBER), ['project'], 'Take routes from a router.', 'PUT /v2.0/routers/{id}/remove_extraroutes'),
];

const floatingIps: PolicyRule[] = [
  ...each(['create_floatingip', 'update_floatingip', 'delete_floatingip', 'create_floatingip:tags', 'update_floatingip:tags', 'delete_floatingip:tags'], or(ADMIN, MEMBER)),
  rule('create_floatingip:floating_ip_address', or(ADMIN, MANAGER)),
  ...each(['get_floatingip', 'get_floatingip:tags'], or(ADMIN, READER)),
];

const others: PolicyRule[] = [
  rule('get_quota', or(ADMIN, MANAGER)),
  ...each(['update_quota', 'delete_quota', 'get_agent', 'update_agent'], ADMIN),
  rule('get_network_ip_availability', or(ADMIN, SERVICE)),
  ...each(['get_availability_zone', 'get_service_provider'], or(ADMIN, 'role:reader')),
];

export const policies: PolicyRule[] = [...owners, ...networks, ...subnets, ...ports, ...securityGroups, ...routers, ...floatingIps, ...others];

/** What `/v2.0/extensions` announces: only what works whole. Names and dates as upstream's (neutron_lib.api.definitions). */
export interface Extension {
  alias: string;
  name: string;
  description: string;
  updated: string;
  links: never[];
}

const extension = (alias: string, name: string, description: string, day: string): Extension => ({ alias, name, description, updated: `${day}T10:00:00-00:00`, links: [] });

export const extensions: readonly Extension[] = [
  extension('agent', 'agent', 'The agent management extension.', '2013-02-03'),
  extension('allowed-address-pairs', 'Allowed Address Pairs', 'Provides allowed address pairs', '2013-07-23'),
  extension('availability_zone', 'Availability Zone', 'The availability zone extension.', '2015-01-01'),
  extension('availability_zone_filter', 'Availability Zone Filter Extension', 'Add filter parameters to AvailabilityZone resource', '2018-06-22'),
  extension('binding', 'Port Binding', 'Expose port bindings of a virtual port to external application', '2014-02-03'),
  extension('empty-string-filtering', 'Empty String Filtering Extension', 'Allow filtering by attributes with empty string value', '2018-05-01'),
  extension('external-net', 'Neutron external network', 'Adds external network attribute to network resource.', '2013-01-14'),
  extension('extra_dhcp_opt', 'Neutron Extra DHCP options', 'Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified (e.g. tftp-server, server-ip-address, bootfile-name)', '2013-03-17'),
  extension('ext-gw-mode', 'Neutron L3 Configurable external gateway mode', 'Extension of the router abstraction for specifying whether SNAT should occur on the external gateway', '2013-03-28'),
  extension('extraroute', 'Neutron Extra Route', 'Extra routes configuration for L3 router', '2013-02-01'),
  extension('extraroute-atomic', 'Atomically add/remove extra routes', 'Edit extra routes of a router on server side by atomically adding/removing extra routes', '2019-07-10'),
  extension('filter-validation', 'Filter parameters validation', 'Provides validation on filter parameters.', '2018-07-04'),
  extension('fip-port-details', 'Floating IP Port Details Extension', 'Add port_details attribute to Floating IP resource', '2018-04-09'),
  extension('ip-substring-filtering', 'IP address substring filtering', 'Provides IP address substring filtering when listing ports', '2017-11-28'),
  extension('net-mtu', 'Network MTU', 'Provides MTU attribute for a network resource.', '2015-03-25'),
  extension('net-mtu-writable', 'Network MTU (writable)', 'Provides a writable MTU attribute for a network resource.', '2017-07-12'),
  extension('network-ip-availability', 'Network IP Availability', 'Provides IP availability data for each network and subnet.', '2015-09-24'),
  extension('network_availability_zone', 'Network Availability Zone', 'Availability zone support for network.', '2015-01-01'),
  extension('pagination', 'Pagination support', 'Extension that indicates that pagination is enabled.', '2016-06-12'),
  extension('port-mac-address-regenerate', 'Neutron Port MAC address regenerate', 'Network port MAC address regenerate', '2018-05-03'),
  extension('port-security', 'Port Security', 'Provides port security', '2012-07-23'),
  extension('port-security-groups-filtering', 'Port filtering on security groups', 'Provides security groups filtering when listing ports', '2018-01-09'),
  extension('project-id', 'project_id field enabled', 'Extension that indicates that project_id field is enabled.', '2016-09-09'),
  extension('provider', 'Provider Network', 'Expose mapping of virtual networks to physical networks', '2012-09-07'),
  extension('quota-check-limit', 'Quota engine limit check', 'Support for checking the resource usage before applying a new quota limit', '2021-09-08'),
  extension('quota_details', 'Quota details management support', 'Expose functions for quotas usage statistics per project', '2017-02-10'),
  extension('quotas', 'Quota management support', 'Expose functions for quotas management per project', '2012-07-29'),
  extension('revision-if-match', 'If-Match constraints based on revision_number', 'Extension indicating that If-Match based on revision_number is supported.', '2016-12-11'),
  extension('router', 'Neutron L3 Router', 'Router abstraction for basic L3 forwarding between L2 Neutron networks and access to external networks via a NAT gateway.', '2012-07-20'),
  extension('router_availability_zone', 'Router Availability Zone', 'Availability zone support for router.', '2015-01-01'),
  extension('security-group', 'security-group', 'The security groups extension.', '2012-10-05'),
  extension('security-groups-normalized-cidr', 'Normalized CIDR field for security group rules', 'Add new field with normalized remote_ip_prefix cidr in SG rule', '2020-07-28'),
  extension('service-type', 'Neutron Service Type Management', 'API for retrieving service providers for Neutron advanced services', '2013-01-20'),
  extension('sorting', 'Sorting support', 'Extension that indicates that sorting is enabled.', '2016-06-12'),
  extension('standard-attr-description', 'standard-attr-description', 'Extension to add descriptions to standard attributes', '2016-02-10'),
  extension('standard-attr-revisions', 'Resource revision numbers', 'This extension will display the revision number of neutron resources.', '2016-04-11'),
  extension('standard-attr-tag', 'Tag support for resources with standard attribute: floatingip, network, port, router, security_group, subnet', 'Enables to set tag on resources with standard attribute.', '2017-01-01'),
  extension('standard-attr-timestamp', 'Resource timestamps', 'Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.', '2016-09-12'),
  extension('stateful-security-group', 'Stateful security group', 'Indicates if the security group is stateful or not', '2019-11-26'),
  extension('tag-ports-during-bulk-creation', 'Tag Ports During Bulk Creation', 'Allow to tag ports during bulk creation', '2019-12-29'),
];

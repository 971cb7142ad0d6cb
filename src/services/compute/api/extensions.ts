/** Nova's extensions: they can no longer be chosen, but clients still ask which there are. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { ANYBODY, rule } from './rules.ts';

/** Alias → name, of what this cloud serves, and of what has been removed from the API but not from its list. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'OS-DCF': 'DiskConfig',
  'OS-EXT-AZ': 'ExtendedAvailabilityZone',
  'OS-EXT-IPS': 'ExtendedIps',
  'OS-EXT-IPS-MAC': 'ExtendedIpsMac',
  'OS-EXT-SRV-ATTR': 'ExtendedServerAttributes',
  'OS-EXT-STS': 'ExtendedStatus',
  'OS-FLV-DISABLED': 'FlavorDisabled',
  'OS-FLV-EXT-DATA': 'FlavorExtraData',
  'OS-SCH-HNT': 'SchedulerHints',
  'OS-SRV-USG': 'ServerUsage',
  'os-access-ips': 'AccessIPs',
  'os-admin-actions': 'AdminActions',
  'os-agents': 'Agents',
  'os-aggregates': 'Aggregates',
  'os-attach-interfaces': 'AttachInterfaces',
  'os-availability-zone': 'AvailabilityZone',
  'os-cells': 'Cells',
  'os-certificates': 'Certificates',
  'os-cloudpipe': 'Cloudpipe',
  'os-config-drive': 'ConfigDrive',
  'os-console-output': 'ConsoleOutput',
  'os-consoles': 'Consoles',
  'os-deferred-delete': 'DeferredDelete',
  'os-extended-hypervisors': 'ExtendedHypervisors',
  'os-extended-quotas': 'ExtendedQuotas',
  'os-extended-services': 'ExtendedServices',
  'os-extended-services-delete': 'ExtendedServicesDelete',
  'os-extended-status': 'ExtendedStatus',
  'os-fixed-ips': 'FixedIPs',
  'os-flavor-access': 'FlavorAccess',
  'os-flavor-extra-specs': 'FlavorExtraSpecs',
  'os-flavor-manage': 'FlavorManage',
  'os-flavor-rxtx': 'FlavorRxtx',
  'os-flavor-swap': 'FlavorSwap',
  'os-floating-ip-dns': 'FloatingIpDns',
  'os-floating-ip-pools': 'FloatingIpPools',
  'os-floating-ips': 'FloatingIps',
  'os-floating-ips-bulk': 'FloatingIpsBulk',
  'os-fping': 'Fping',
  'os-hosts': 'Hosts',
  'os-hypervisor-status': 'HypervisorStatus',
  'os-hypervisors': 'Hypervisors',
  'os-instance-actions': 'InstanceActions',
  'os-keypairs': 'Keypairs',
  'os-lock-server': 'LockServer',
  'os-migrations': 'Migrations',
  'os-multiple-create': 'MultipleCreate',
  'os-networks': 'Networks',
  'os-pause-server': 'PauseServer',
  'os-personality': 'Personality',
  'os-quota-class-sets': 'QuotaClasses',
  'os-quota-sets': 'Quotas',
  'os-security-group-default-rules': 'SecurityGroupDefaultRules',
  'os-security-groups': 'SecurityGroups',
  'os-server-diagnostics': 'ServerDiagnostics',
  'os-server-group-quotas': 'ServerGroupQuotas',
  'os-server-groups': 'ServerGroups',
  'os-server-list-multi-status': 'ServerListMultiStatus',
  'os-server-sort-keys': 'ServerSortKeys',
  'os-server-start-stop': 'ServerStartStop',
  'os-services': 'Services',
  'os-simple-tenant-usage': 'SimpleTenantUsage',
  'os-tenant-networks': 'TenantNetworks',
  'os-used-limits': 'UsedLimits',
  'os-used-limits-for-admin': 'UsedLimitsForAdmin',
  'os-user-data': 'UserData',
  'os-user-quotas': 'UserQuotas',
  'os-virtual-interfaces': 'VirtualInterfaces',
};

const view = ([alias, name]: [string, string]) => ({
  alias, name, description: `${name}, a fixed part of the Compute API.`, links: [], namespace: 'http://docs.openstack.org/compute/ext/fake_xml', updated: '2014-12-03T00:00:00Z',
});

const extension = Type.Object({
  alias: Type.String(), name: Type.String(), description: Type.String(), links: Type.Array(Type.Unknown()), namespace: Type.String(), updated: Type.String(),
});

export const extensionEndpoints = (): Endpoint[] => [
  endpoint({
    id: 'extensions:list', method: 'GET', path: '/v2.1/extensions', summary: 'List extensions', policy: 'os_compute_api:extensions', status: 200,
    reply: Type.Object({ extensions: Type.Array(extension) }),
    handler: () => ({ extensions: Object.entries(EXTENSIONS).map(view) }),
  }),
  endpoint({
    id: 'extensions:show', method: 'GET', path: '/v2.1/extensions/{alias}', summary: 'Show an extension', policy: 'os_compute_api:extensions', status: 200,
    reply: Type.Object({ extension }),
    handler(call) {
      const found = Object.entries(EXTENSIONS).find(([alias]) => alias === call.params.alias);
      if (found === undefined) throw notFound('compute.extension-not-found', 'The resource could not be found.');
      return { extension: view(found) };
    },
  }),
];

export const extensionPolicies: PolicyRule[] = [rule('extensions', ANYBODY, 'List and show extensions.', 'GET /extensions', 'GET /extensions/{alias}')];

import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { listBackends } from '../model/backends.ts';
import { Type } from 'typebox';

export const placeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'availability-zones:list', method: 'GET', path: '/v3/os-availability-zone', summary: 'List availability zones', policy: 'volume_extension:availability_zone_list', status: 200,
    reply: Type.Object({ availabilityZoneInfo: Type.Array(Type.Object({ zoneName: Type.String(), zoneState: Type.Object({ available: Type.Boolean() }) })) }),
    async handler() {
      const backends = await listBackends(deps);
      const names = [...new Set([deps.config.default_availability_zone, ...backends.map(({ availability_zone }) => availability_zone)])];
      const zones = names.map((zoneName) => ({ zoneName, zoneState: { available: backends.length === 0 || backends.some((one) => one.availability_zone === zoneName && one.disabled === 0) } }));
      return { availabilityZoneInfo: zones };
    },
  }),
  endpoint({ id: 'extensions:list', method: 'GET', path: '/v3/extensions', summary: 'List extensions', policy: 'volume_extension:extensions', status: 200, handler: () => ({ extensions: EXTENSIONS.map((alias) => ({ alias, name: alias, description: '', updated: '2013-06-27T00:00:00+00:00', links: [], namespace: '' })) }) }),
];

const EXTENSIONS = [
  'OS-SCH-HNT', 'backups', 'capabilities', 'cgsnapshots', 'consistencygroups', 'os-admin-actions', 'os-availability-zone', 'os-extended-services', 'os-extended-snapshot-attributes', 'os-hosts',
  'os-quota-class-sets', 'os-quota-sets', 'os-services', 'os-snapshot-actions', 'os-snapshot-manage', 'os-snapshot-unmanage', 'os-types-extra-specs', 'os-types-manage', 'os-used-limits',
  'os-vol-host-attr', 'os-vol-image-meta', 'os-vol-mig-status-attr', 'os-vol-tenant-attr', 'os-volume-actions', 'os-volume-encryption-metadata', 'os-volume-manage', 'os-volume-transfer',
  'os-volume-type-access', 'os-volume-unmanage', 'qos-specs', 'scheduler-stats', 'encryption',
];

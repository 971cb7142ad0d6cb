import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { limitsOf, usedBy } from '../model/quotas.ts';
import { ANYBODY, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { isAdmin, readerOf } from './common.ts';

export const limitEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'limits:show', method: 'GET', path: '/v3/limits', summary: 'What a project may have, and has', policy: 'limits_extension:used_limits', status: 200,
    reply: Type.Object({ limits: Type.Object({ rate: Type.Array(Type.Object({})), absolute: Type.Object({}) }) }),
    async handler(call) {
      const named = call.version >= versions.LIMITS_ADMIN_FILTER && isAdmin(call) ? call.url.searchParams.get('project_id') : null;
      const project_id = named ?? call.auth.project_id ?? '';
      const [limits, used] = await Promise.all([limitsOf(readerOf(deps), deps, project_id), usedBy(readerOf(deps), deps, project_id)]);
      const of = (from: Record<string, number>, name: string): number => from[name] ?? 0;
      return { limits: { rate: [], absolute: {
        maxTotalVolumes: of(limits, 'volumes'), maxTotalSnapshots: of(limits, 'snapshots'), maxTotalVolumeGigabytes: of(limits, 'gigabytes'), maxTotalBackups: of(limits, 'backups'),
        maxTotalBackupGigabytes: of(limits, 'backup_gigabytes'), totalVolumesUsed: of(used, 'volumes'), totalGigabytesUsed: of(used, 'gigabytes'),
        totalSnapshotsUsed: of(used, 'snapshots'), totalBackupsUsed: of(used, 'backups'), totalBackupGigabytesUsed: of(used, 'backup_gigabytes'),
      } } };
    },
  }),
];

export const limitPolicies: PolicyRule[] = [
  rule('limits_extension:used_limits', READER, 'Show what a project may have, and has.', 'GET /limits'),
  rule('volume_extension:availability_zone_list', ANYBODY, 'List availability zones.', 'GET /os-availability-zone'),
];

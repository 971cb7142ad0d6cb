/** Snapshots of volumes that lie as files on a node, which a block storage service asks for. No server here has such a volume. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { strictQuery } from './common.ts';
import { rule } from './rules.ts';

const PATH = '/v2.1/os-assisted-volume-snapshots';
const SERVICE = 'rule:service_or_admin';
const closed = { additionalProperties: false } as const;
const text = Type.String({ minLength: 1 });
const snapshot = Type.Object(
  { volume_id: text, create_info: Type.Object({ snapshot_id: text, type: Type.Literal('qcow2'), new_file: text, id: Type.Optional(text) }, closed) },
  closed,
);

const notAttached = (volume_id: string): Fault => badRequest('compute.volume-not-attached', `No volume Block Device Mapping with id ${volume_id}.`);

/** @throws Fault 400 */
function volumeOf(delete_info: string | undefined): string {
  if (delete_info === undefined) throw badRequest('compute.query-invalid', "'delete_info'");
  try {
    const { volume_id } = JSON.parse(delete_info) as { volume_id?: unknown };
    if (typeof volume_id === 'string') return volume_id;
  } catch {
    throw badRequest('compute.query-invalid', 'delete_info is not JSON.');
  }
  throw badRequest('compute.query-invalid', "'volume_id'");
}

export const assistedVolumeSnapshotEndpoints = (): Endpoint[] => [
  endpoint({
    id: 'assisted-volume-snapshots:create', method: 'POST', path: PATH, summary: 'Make a snapshot of a volume that is a file of a node',
    policy: 'os_compute_api:os-assisted-volume-snapshots:create', status: 200, body: Type.Object({ snapshot }, closed),
    handler(call) {
      throw notAttached(call.body.snapshot.volume_id);
    },
  }),
  endpoint({
    id: 'assisted-volume-snapshots:delete', method: 'DELETE', path: `${PATH}/{snapshot_id}`, summary: 'Delete a snapshot of a volume that is a file of a node',
    policy: 'os_compute_api:os-assisted-volume-snapshots:delete', status: 204, query: Type.Object({ delete_info: Type.Optional(Type.String()) }),
    handler(call) {
      strictQuery(call, ['delete_info']);
      throw notAttached(volumeOf(call.query.delete_info));
    },
  }),
];

export const assistedVolumeSnapshotPolicies: PolicyRule[] = [
  rule('os-assisted-volume-snapshots:create', SERVICE, 'Make a snapshot of a volume that is a file of a node.', 'POST /os-assisted-volume-snapshots'),
  rule('os-assisted-volume-snapshots:delete', SERVICE, 'Delete a snapshot of a volume that is a file of a node.', 'DELETE /os-assisted-volume-snapshots/{snapshot_id}'),
];

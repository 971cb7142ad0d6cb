/** Metadata of volumes and snapshots: the same calls under two paths. */
import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, notFound, type Fault } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { snapshotNotFound, volumeNotFound } from '../faults.ts';
import { MEMBER, READER, rule } from '../policies.ts';
import { snapshots, volumes, type Rows } from '../store/rows.ts';
import { json, metadataMap, owned } from './common.ts';

interface Kind<Row> {
  rows: Rows<Row>;
  missing: (id: string) => Fault;
  path: string;
  param: string;
  rules: { show: string; create: string; update: string; remove: string };
}

const body = Type.Object({ metadata: metadataMap }, { additionalProperties: true });
const shownPairs = Type.Object({ metadata: Type.Record(Type.String(), Type.String()) });
const one = Type.Object({ meta: metadataMap }, { additionalProperties: true });
const shownPair = Type.Object({ meta: Type.Record(Type.String(), Type.String()) });
const noKey = (): Fault => notFound('block-storage.no-such-key', 'Metadata item was not found');

function metadataOf<Row extends { id: string; project_id: string; metadata_json: string }>(deps: BlockStorageDeps, { rows, missing, path, param, rules }: Kind<Row>): Endpoint[] {
  const { target, rowOf } = owned(deps, rows, missing, param);
  const had = (call: Pick<AnyCall, 'ctx'>): Record<string, string> => json(rowOf(call).metadata_json);
  const store = async (call: Pick<AnyCall, 'ctx'>, metadata: Record<string, string>): Promise<Record<string, string>> => {
    await deps.db.transaction((tx) => rows.update(tx, rowOf(call).id, { metadata_json: JSON.stringify(metadata) } as unknown as Partial<Row>));
    return metadata;
  };
  const name = path.split('/')[2] ?? '';
  const common = { path: `${path}/metadata`, target, status: 200 };
  const single = { path: `${path}/metadata/{key}`, target, status: 200 };
  return [
    endpoint({ id: `${name}:metadata-list`, method: 'GET', ...common, summary: 'Show metadata', policy: rules.show, reply: shownPairs, handler: (call) => ({ metadata: had(call) }) }),
    endpoint({ id: `${name}:metadata-add`, method: 'POST', ...common, summary: 'Add metadata', policy: rules.create, body, reply: shownPairs, handler: async (call) => ({ metadata: await store(call, { ...had(call), ...call.body.metadata }) }) }),
    endpoint({ id: `${name}:metadata-replace`, method: 'PUT', ...common, summary: 'Replace metadata', policy: rules.update, body, reply: shownPairs, handler: async (call) => ({ metadata: await store(call, call.body.metadata) }) }),
    endpoint({
      id: `${name}:metadata-show`, method: 'GET', ...single, summary: 'Show one piece of metadata', policy: rules.show, reply: shownPair,
      handler(call) {
        const key = call.params['key'] ?? '';
        const value = had(call)[key];
        if (value === undefined) throw noKey();
        return { meta: { [key]: value } };
      },
    }),
    endpoint({
      id: `${name}:metadata-set`, method: 'PUT', ...single, summary: 'Set one piece of metadata', policy: rules.update, body: one, reply: shownPair,
      async handler(call) {
        const { meta } = call.body;
        if (Object.keys(meta).length !== 1) throw badRequest('block-storage.metadata-invalid', 'Request body contains too many items');
        if (!Object.hasOwn(meta, call.params['key'] ?? '')) throw badRequest('block-storage.metadata-invalid', 'Request body and URI mismatch');
        await store(call, { ...had(call), ...meta });
        return { meta };
      },
    }),
    endpoint({
      id: `${name}:metadata-delete`, method: 'DELETE', ...single, summary: 'Delete one piece of metadata', policy: rules.remove,
      async handler(call) {
        const { [call.params['key'] ?? '']: gone, ...rest } = had(call);
        if (gone === undefined) throw noKey();
        await store(call, rest);
        return reply();
      },
    }),
  ];
}

export const metadataEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  ...metadataOf(deps, { rows: volumes, missing: volumeNotFound, path: '/v3/volumes/{volume_id}', param: 'volume_id', rules: { show: 'volume:get_volume_metadata', create: 'volume:create_volume_metadata', update: 'volume:update_volume_metadata', remove: 'volume:delete_volume_metadata' } }),
  ...metadataOf(deps, { rows: snapshots, missing: snapshotNotFound, path: '/v3/snapshots/{id}', param: 'id', rules: { show: 'volume:get_snapshot_metadata', create: 'volume:update_snapshot_metadata', update: 'volume:update_snapshot_metadata', remove: 'volume:delete_snapshot_metadata' } }),
];

const of = (what: 'volume' | 'snapshot') => {
  const path = (what === 'volume' ? '/volumes/{volume_id}/metadata' : '/snapshots/{id}/metadata');
  return [
    rule(`volume:get_${what}_metadata`, READER, `Read metadata of a ${what}.`, `GET ${path}`, `GET ${path}/{key}`),
    rule(`volume:update_${what}_metadata`, MEMBER, `Write metadata of a ${what}.`, `PUT ${path}`, `PUT ${path}/{key}`),
    rule(`volume:delete_${what}_metadata`, MEMBER, `Delete metadata of a ${what}.`, `DELETE ${path}/{key}`),
  ];
};

export const metadataPolicies: PolicyRule[] = [...of('volume'), ...of('snapshot'), rule('volume:create_volume_metadata', MEMBER, 'Add metadata to a volume.', 'POST /volumes/{volume_id}/metadata')];

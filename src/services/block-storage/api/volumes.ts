import { Type } from 'typebox';
import { type AnyCall, type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { invalidInputOf, volumeNotFound } from '../faults.ts';
import { createVolume, removeVolume } from '../model/volumes.ts';
import { attachments, types, volumes, type Reader } from '../store/rows.ts';
import type { AttachmentRow, VolumeRow } from '../store/tables.ts';
import { volumeTotals } from '../store/volumes.ts';
import { changeVolume } from '../model/volume-state.ts';
import { ADMIN, MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, clean, ids, instant, isAdmin, json, links, looseBoolean, metadataMap, nullableId, nullableMetadata, nullableText, owned, readerOf, shown, sizeNumber } from './common.ts';
import { listed } from './common.ts';
import { type ListingRules, ownership, readListing, readPage } from './listing.ts';

const volumeFields = {
  id: Type.String(), status: Type.String(), size: Type.Integer(),
  group_id: Type.Optional(since(versions.GROUPS, nullableText)),
  provider_id: Type.Optional(since(versions.PROVIDER_ID, nullableText)),
  shared_targets: Type.Optional(since(versions.SHARED_TARGETS, Type.Union([Type.Boolean(), Type.Null()]))),
  service_uuid: Type.Optional(since(versions.SHARED_TARGETS, nullableText)),
  cluster_name: Type.Optional(since(versions.VOLUME_CLUSTER, nullableText)),
  volume_type_id: Type.Optional(since(versions.VOLUME_TYPE_ID, nullableText)),
  encryption_key_id: Type.Optional(since(versions.ENCRYPTION_KEY_ID, nullableText)),
  consumes_quota: Type.Optional(since(versions.CONSUMES_QUOTA, Type.Boolean())),
};

type Parts = { attachments: AttachmentRow[]; type_name: string | null };

/** Everything else that the views of these volumes need, in two queries. */
async function partsOf(db: Reader, rows: readonly VolumeRow[]): Promise<(row: VolumeRow) => Parts> {
  const attached = await attachments.all(db, [{ column: 'volume_id', op: 'in', value: rows.map(({ id }) => id) }]);
  const named = new Map((await types.all(db, [{ column: 'id', op: 'in', value: [...new Set(rows.map(({ type_id }) => type_id))] }])).map(({ id, name }) => [id, name]));
  const byVolume = Map.groupBy(attached, ({ volume_id }) => volume_id);
  return (row) => ({ attachments: byVolume.get(row.id) ?? [], type_name: named.get(row.type_id) ?? null });
}

const summaryView = (call: Pick<AnyCall, 'base' | 'auth'>, { id, name }: VolumeRow) => ({ id, name, links: links(call, 'volumes', id) });

function metadataOf(row: VolumeRow): Record<string, string> {
  return { ...json(row.metadata_json), ...(row.read_only === 0 ? {} : { readonly: row.read_only === 1 ? 'True' : 'False' }) };
}

const attachmentView = (row: AttachmentRow) => ({
  id: row.volume_id, attachment_id: row.id, volume_id: row.volume_id, server_id: row.instance_id, host_name: row.attached_host, device: row.mountpoint, attached_at: instant(row.attached_at),
});

/** @param extended what only lists and `show` tell */
function volumeView(call: Pick<Call, 'base' | 'auth' | 'allows'>, row: VolumeRow, { attachments: attached, type_name }: Parts, extended = true) {
  const admin = extended && isAdmin(call) ? {
    'os-vol-host-attr:host': row.host, 'os-vol-mig-status-attr:migstat': row.migration_status, 'os-vol-mig-status-attr:name_id': null, provider_id: null, cluster_name: null,
  } : {};
  return {
    ...summaryView(call, row), size: row.size, status: row.status, availability_zone: row.availability_zone, created_at: instant(row.created_at), updated_at: instant(row.updated_at),
    attachments: attached.filter(({ attach_status }) => ['attached', 'detaching'].includes(attach_status)).map(attachmentView), description: row.description, volume_type: type_name,
    snapshot_id: row.snapshot_id, source_volid: row.source_volid, metadata: metadataOf(row), user_id: row.user_id, bootable: row.bootable === 1 ? 'true' : 'false',
    encrypted: row.encrypted === 1, replication_status: null, consistencygroup_id: null, multiattach: row.multiattach === 1, migration_status: row.migration_status,
    ...admin, group_id: row.group_id, shared_targets: false, service_uuid: null, volume_type_id: row.type_id,
    ...(row.encryption_key_id === null ? {} : { encryption_key_id: row.encryption_key_id }), consumes_quota: true,
    ...(extended && row.image_metadata_json !== null ? { volume_image_metadata: json(row.image_metadata_json) } : {}), ...(extended ? { 'os-vol-tenant-attr:tenant_id': row.project_id } : {}),
  };
}

const volumeListing: ListingRules = {
  strict: true,
  filters: {
    name: { column: 'name', kind: 'text' }, status: { column: 'status', kind: 'text' }, metadata: { column: 'metadata_json', kind: 'pairs' },
    bootable: { column: 'bootable', kind: 'flag' }, migration_status: { column: 'migration_status', kind: 'text' }, availability_zone: { column: 'availability_zone', kind: 'text' },
    group_id: { column: 'group_id', kind: 'text', since: versions.VOLUME_LIST_GROUP }, size: { column: 'size', kind: 'number' }, id: { column: 'id', kind: 'text' },
    multiattach: { column: 'multiattach', kind: 'flag' }, glance_metadata: { column: 'image_metadata_json', kind: 'pairs', since: versions.VOLUME_LIST_GLANCE_METADATA },
    description: { column: 'description', kind: 'text', admin: true }, host: { column: 'host', kind: 'text', admin: true }, user_id: { column: 'user_id', kind: 'text', admin: true },
    source_volid: { column: 'source_volid', kind: 'text', admin: true }, snapshot_id: { column: 'snapshot_id', kind: 'text', admin: true },
    display_name: { column: 'name', kind: 'text', admin: true }, volume_type_id: { column: 'type_id', kind: 'text', admin: true }, consumes_quota: { column: 'id', kind: 'text', admin: true },
  },
  sort: { name: 'name', display_name: 'name', size: 'size', status: 'status', availability_zone: 'availability_zone', bootable: 'bootable', updated_at: 'updated_at', host: 'host', launched_at: 'launched_at' },
};

export const volumeTarget = (deps: BlockStorageDeps) => owned(deps, volumes, volumeNotFound, 'volume_id');

const texts = { name: Type.Optional(nullableText), description: Type.Optional(nullableText), display_name: Type.Optional(nullableText), display_description: Type.Optional(nullableText) };
const newVolume = {
  ...texts, size: Type.Optional(Type.Union([sizeNumber, Type.Null()])), volume_type: Type.Optional(nullableText), metadata: Type.Optional(nullableMetadata),
  snapshot_id: Type.Optional(nullableId), source_volid: Type.Optional(nullableId), consistencygroup_id: Type.Optional(nullableId), availability_zone: Type.Optional(nullableText),
  multiattach: Type.Optional(Type.Union([looseBoolean, Type.Null()])), imageRef: Type.Optional(nullableText), image_id: Type.Optional(nullableText),
  group_id: Type.Optional(since(versions.GROUPS, nullableText)), backup_id: Type.Optional(since(versions.CREATE_FROM_BACKUP, nullableId)),
};
const hints = Type.Union([Type.Object({}), Type.Null()]);
const createBody = Type.Object({
  volume: Type.Object(newVolume, { additionalProperties: true }), 'OS-SCH-HNT:scheduler_hints': Type.Optional(hints), 'os-sch-hnt:scheduler_hints': Type.Optional(hints),
}, { additionalProperties: false });

/** From 3.53 on nothing may be there that nobody knows. @throws Fault 400 */
function refuseUnknown(call: Pick<Call, 'version'>, body: object, known: object): void {
  if (call.version < versions.STRICT_BODIES) return;
  const unknown = Object.keys(body).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0) throw badRequest('api.body-invalid', `Additional properties are not allowed ('${unknown[0]}' was unexpected)`);
}

/** An id, or the last part of a URL. */
const imageId = (reference: string | null | undefined): string | null => {
  if (reference === null || reference === undefined || reference === '') return null;
  const id = reference.split('/').at(-1) ?? '';
  if (!isUuidLike(id)) throw badRequest('block-storage.image-invalid', 'Invalid image identifier or unable to access requested image.');
  return id;
};

const listEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  ...(['', '/detail'] as const).map((path) => endpoint({
    id: `volumes:list${path}`, method: 'GET', path: `/v3/volumes${path}`, summary: path === '' ? 'List volumes' : 'List volumes with all attributes', policy: 'volume:get_all', status: 200,
    reply: listed('volumes', path === '' ? { id: Type.String() } : volumeFields),
    async handler(call) {
      const page = await readPage(readerOf(deps), volumes, call, readListing(call, deps.config, volumeListing), 'volumes');
      if (path === '') return { volumes: page.rows.map((row) => summaryView(call, row)), ...page.more };
      const parts = await partsOf(readerOf(deps), page.rows);
      return { volumes: page.rows.map((row) => volumeView(call, row, parts(row))), ...page.more };
    },
  })),
  endpoint({
    id: 'volumes:summary', method: 'GET', path: '/v3/volumes/summary', summary: 'How many volumes there are', policy: 'volume:get_all', since: versions.VOLUME_SUMMARY, status: 200,
    reply: shown('volume-summary', { total_count: Type.Integer(), total_size: Type.Integer(), metadata: Type.Optional(since(versions.SUMMARY_METADATA, Type.Object({}))) }),
    async handler(call) {
      const [own] = ownership(call);
      const { many, size, metadata } = await volumeTotals(readerOf(deps), own === undefined ? undefined : String((own as { value: unknown }).value));
      const distinct: Record<string, string[]> = {};
      for (const text of metadata) for (const [key, value] of Object.entries(json(text))) distinct[key] = [...new Set([...(distinct[key] ?? []), value])];
      return { 'volume-summary': { total_count: many, total_size: size, metadata: distinct } };
    },
  }),
];

const oneEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = volumeTarget(deps);
  const view = async (call: Pick<Call, 'base' | 'auth' | 'allows'>, row: VolumeRow, extended = false) => volumeView(call, row, (await partsOf(readerOf(deps), [row]))(row), extended);
  return [
    endpoint({
      id: 'volumes:create', method: 'POST', path: '/v3/volumes', summary: 'Make a volume', policy: 'volume:create', status: 202, body: createBody, reply: shown('volume', volumeFields),
      async handler(call) {
        const asked = call.body.volume;
        refuseUnknown(call, asked, newVolume);
        if (asked.multiattach !== undefined && asBoolean(asked.multiattach)) throw badRequest('block-storage.multiattach-type', 'multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. Contact your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.');
        const image_id = imageId(asked.imageRef ?? asked.image_id);
        if (image_id !== null) call.enforce('volume:create_from_image');
        const row = await createVolume(deps, { auth: call.auth, ...ids(call) }, {
          name: clean(asked.name ?? asked.display_name), description: clean(asked.description ?? asked.display_description), size: asked.size === null || asked.size === undefined ? null : Number(asked.size),
          type: asked.volume_type ?? null, metadata: asked.metadata ?? {}, availability_zone: asked.availability_zone ?? null, snapshot_id: asked.snapshot_id ?? null,
          source_volid: asked.source_volid ?? null, image_id, backup_id: asked.backup_id ?? null, group_id: asked.group_id ?? null,
        });
        return { volume: await view(call, row) };
      },
    }),
    endpoint({
      id: 'volumes:show', method: 'GET', path: '/v3/volumes/{volume_id}', summary: 'Show a volume', policy: 'volume:get', target, status: 200, reply: shown('volume', volumeFields),
      handler: async (call) => ({ volume: await view(call, rowOf(call), true) }),
    }),
    endpoint({
      id: 'volumes:update', method: 'PUT', path: '/v3/volumes/{volume_id}', summary: 'Change a volume', policy: 'volume:update', target, status: 200,
      body: Type.Object({ volume: Type.Object({ ...texts, metadata: Type.Optional(metadataMap) }, { additionalProperties: false }) }, { additionalProperties: false }), reply: shown('volume', volumeFields),
      async handler(call) {
        const asked = call.body.volume;
        if (call.version >= versions.STRICT_BODIES && Object.keys(asked).length === 0) throw invalidInputOf('There is nothing to change.');
        const name = asked.name ?? asked.display_name;
        const description = asked.description ?? asked.display_description;
        const change = { ...(name === undefined ? {} : { name: clean(name) }), ...(description === undefined ? {} : { description: clean(description) }), ...(asked.metadata === undefined ? {} : { metadata_json: JSON.stringify(asked.metadata) }) };
        const row = await deps.db.transaction((tx) => changeVolume(tx, deps, call.params.volume_id, undefined, change));
        return { volume: await view(call, row) };
      },
    }),
    endpoint({
      id: 'volumes:delete', method: 'DELETE', path: '/v3/volumes/{volume_id}', summary: 'Delete a volume', policy: 'volume:delete', target, status: 202,
      async handler(call) {
        const flag = (name: string): boolean => asBoolean(call.url.searchParams.get(name) ?? false);
        const force = call.version >= versions.VOLUME_DELETE_FORCE && flag('force');
        if (force) call.enforce('volume:force_delete', { project_id: rowOf(call).project_id });
        await removeVolume(deps, ids(call), rowOf(call), { force, cascade: flag('cascade') });
        return reply();
      },
    }),
  ];
};

export const volumeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...listEndpoints(deps), ...oneEndpoints(deps)];

const one = '/volumes/{volume_id}';

export const volumePolicies: PolicyRule[] = [
  rule('volume:create', MEMBER, 'Make a volume.', 'POST /volumes'),
  rule('volume:create_from_image', MEMBER, 'Make a volume of an image.', 'POST /volumes'),
  rule('volume:get', READER, 'Show a volume.', `GET ${one}`),
  rule('volume:get_all', READER, 'List volumes.', 'GET /volumes', 'GET /volumes/detail', 'GET /volumes/summary'),
  rule('volume:update', MEMBER, 'Change a volume, and whether it is bootable.', `PUT ${one}`),
  rule('volume:delete', MEMBER, 'Delete a volume.', `DELETE ${one}`),
  rule('volume:force_delete', ADMIN, 'Delete a volume whatever its state.', `DELETE ${one}`),
];

import { Type, type TSchema } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { invalidInputOf, invalidVolume } from '../faults.ts';
import { attachmentsOf, changeAttachment, newAttachment, release } from '../model/attachments.ts';
import { extendVolume, retypeVolume, revertVolume } from '../model/change-volume.ts';
import { changeVolume } from '../model/volume-state.ts';
import { imageFor, imageMetadata, imageRef, removeVolume } from '../model/volumes.ts';
import { attachments, volumes } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';
import { ADMIN, MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, eyes, ids, json, looseBoolean, nullableText, readerOf, sizeNumber } from './common.ts';
import { volumeTarget } from './volumes.ts';

const PATH = '/v3/volumes/{volume_id}/action';
const anything = Type.Unknown();
type ActionCall = Call<{ volume_id: string }, unknown, unknown>;

/** One entry per action: its name, its rule, what it takes, what it does. */
function actionMaker(deps: BlockStorageDeps) {
  const { target, rowOf } = volumeTarget(deps);
  return <Body extends TSchema>(name: string, policy: string, body: Body, work: (row: VolumeRow, given: any, call: ActionCall) => Promise<unknown>, since?: Microversion, status = 202): Endpoint =>
    endpoint({
      id: `volumes:${name}`, method: 'POST', path: PATH, action: name, summary: `Do ${name} on a volume`, policy, target, status, ...(since === undefined ? {} : { since }),
      body: Type.Object({ [name]: body }, { additionalProperties: false }),
      async handler(call) {
        const result = await work(rowOf(call), (call.body as Record<string, unknown>)[name], call as unknown as ActionCall);
        return (result ?? reply());
      },
    });
}

const rules = 'volume_extension:volume_actions';
const admin = 'volume_extension:volume_admin_actions';

function attachActions(deps: BlockStorageDeps): Endpoint[] {
  const action = actionMaker(deps);
  const change = (id: string, from: readonly string[] | undefined, to: Partial<VolumeRow>) => deps.db.transaction((tx) => changeVolume(tx, deps, id, from, to));
  const attachBody = Type.Object({ instance_uuid: Type.Optional(nullableText), host_name: Type.Optional(nullableText), mountpoint: Type.Optional(nullableText), mode: Type.Optional(Type.Union([Type.Literal('rw'), Type.Literal('ro')])) });
  const detach = async (row: VolumeRow, given: { attachment_id?: string | null } | null): Promise<void> => {
    const all = await attachmentsOf(readerOf(deps), row.id);
    if (all.length > 1 && (given?.attachment_id ?? null) === null) throw invalidVolume('Detach volume failed: More than one attachment, but no attachment_id provided.');
    for (const one of all) if ((given?.attachment_id ?? one.id) === one.id) await release(deps, one.id);
    if (all.length === 0) await change(row.id, ['in-use', 'detaching', 'reserved', 'attaching', 'available'], { status: 'available', attach_status: 'detached' });
  };
  const connector = Type.Object({ connector: Type.Object({}) });
  return [
    action('os-attach', `${rules}:attach`, attachBody, async (row, { instance_uuid = null, host_name = null, mountpoint = null, mode = 'rw' }) => {
      if (instance_uuid === null && host_name === null) throw badRequest('block-storage.attach-invalid', 'Invalid request to attach volume to an invalid target');
      if (mode === 'rw' && row.read_only === 1) throw invalidVolume(`Invalid attaching mode 'rw' for volume ${row.id}.`);
      const waiting = (await attachmentsOf(readerOf(deps), row.id)).find((one) => one.instance_id === instance_uuid || one.instance_id === null);
      if (!['available', 'reserved', 'attaching'].includes(row.status) && !(row.multiattach === 1 && row.status === 'in-use')) throw invalidVolume('status must be available or attaching');
      const given = { instance_id: instance_uuid, attached_host: host_name, mountpoint, attach_mode: mode, attach_status: 'attached', attached_at: isoMicros(deps.clock.now()) };
      const id = waiting?.id ?? newAttachment(deps, row, {}).id;
      if (waiting === undefined) await deps.db.transaction((tx) => attachments.insert(tx, { ...newAttachment(deps, row, {}), id }));
      await changeAttachment(deps, id, given);
    }),
    action('os-detach', `${rules}:detach`, anything, detach),
    action('os-force_detach', `${admin}:force_detach`, anything, detach),
    action('os-reserve', `${rules}:reserve`, anything, async (row) => {
      if (row.multiattach === 0 && row.status !== 'available') throw invalidVolume(`Volume status must be available to reserve, but the status is ${row.status}.`);
      await change(row.id, undefined, row.status === 'in-use' ? {} : { status: 'attaching', previous_status: row.status });
    }),
    action('os-unreserve', `${rules}:unreserve`, anything, async (row) => {
      if (row.status !== 'attaching' && row.status !== 'reserved') throw invalidVolume(`Volume status must be attaching to unreserve, but the status is ${row.status}.`);
      for (const one of await attachmentsOf(readerOf(deps), row.id)) if (one.attach_status !== 'attached') await release(deps, one.id);
      const attached = (await attachmentsOf(readerOf(deps), row.id)).length > 0;
      await change(row.id, undefined, { status: attached ? 'in-use' : 'available', previous_status: null, attach_status: attached ? 'attached' : 'detached' });
    }),
    action('os-begin_detaching', `${rules}:begin_detaching`, anything, async (row) => {
      if (row.attach_status !== 'attached') throw invalidVolume(`Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.`);
      await change(row.id, ['in-use'], { status: 'detaching' });
    }),
    action('os-roll_detaching', `${rules}:roll_detaching`, anything, async (row) => void (row.status === 'detaching' && (await change(row.id, ['detaching'], { status: 'in-use' })))),
    action('os-initialize_connection', `${rules}:initialize_connection`, connector, async (row) => {
      if (row.node_id === null) throw invalidVolume(`Volume ${row.id} is on no backend.`);
      return { connection_info: connectionOf(row) };
    }, undefined, 200),
    action('os-terminate_connection', `${rules}:terminate_connection`, connector, async () => undefined),
  ];
}

/** How a node reaches a volume: by its own agent, on the node that holds it. */
export const connectionOf = (row: VolumeRow) => ({
  driver_volume_type: 'gantry',
  data: { volume_id: row.id, host: row.host, node_id: row.node_id, access_mode: row.read_only === 1 ? 'ro' : 'rw', encrypted: row.encrypted === 1, qos_specs: null, discard: false, cacheable: false },
});

const statusNames = ['creating', 'available', 'deleting', 'error', 'error_deleting', 'error_managing', 'managing', 'attaching', 'in-use', 'detaching', 'maintenance', 'restoring-backup', 'error_restoring', 'reserved', 'awaiting-transfer', 'backing-up', 'error_backing-up', 'error_extending', 'downloading', 'uploading', 'retyping', 'extending'];

function adminActions(deps: BlockStorageDeps): Endpoint[] {
  const action = actionMaker(deps);
  const text = Type.Optional(nullableText);
  return [
    action('os-reset_status', `${admin}:reset_status`, Type.Object({ status: text, attach_status: text, migration_status: text }), async (row, { status, attach_status, migration_status }) => {
      if ([status, attach_status, migration_status].every((one) => one === undefined || one === null)) throw badRequest('block-storage.status-needed', "Must specify 'status', 'attach_status' or 'migration_status' for update.");
      if (typeof status === 'string' && !statusNames.includes(status.toLowerCase())) throw badRequest('block-storage.status-invalid', `Invalid status: ${status}`);
      if (typeof attach_status === 'string' && !['attached', 'detached', 'reserved', 'attaching', 'detaching', 'error_attaching', 'error_detaching'].includes(attach_status.toLowerCase())) throw badRequest('block-storage.status-invalid', `Invalid attach_status: ${attach_status}`);
      const change = { ...(typeof status === 'string' ? { status: status.toLowerCase(), previous_status: null } : {}), ...(typeof attach_status === 'string' ? { attach_status: attach_status.toLowerCase() } : {}), ...(typeof migration_status === 'string' ? { migration_status: migration_status === 'none' ? null : migration_status } : {}) };
      await deps.db.transaction(async (tx) => {
        await changeVolume(tx, deps, row.id, undefined, change);
        if (attach_status === 'detached') for (const { id } of await attachmentsOf(tx, row.id)) await attachments.remove(tx, id);
      });
    }),
    action('os-force_delete', `${admin}:force_delete`, anything, (row, _given, call) => removeVolume(deps, ids(call), row, { force: true, cascade: true })),
    action('os-migrate_volume', `${admin}:migrate_volume`, Type.Object({ host: text, cluster: text, force_host_copy: Type.Optional(looseBoolean), lock_volume: Type.Optional(looseBoolean) }), async (row, { host }) => {
      if (typeof host !== 'string') throw badRequest('block-storage.host-needed', 'A host or a cluster has to be named.');
      if (row.host === host || row.host?.split('#')[0] === host) throw invalidInputOf('Destination host must be different than the current host.');
      throw badRequest('block-storage.no-migration', `Volume ${row.id} cannot be moved to ${host}: its backend keeps its volumes to itself.`);
    }),
    action('os-migrate_volume_completion', `${admin}:migrate_volume_completion`, Type.Object({ new_volume: Type.String(), error: Type.Optional(looseBoolean) }), async (row) => {
      throw invalidVolume(`Volume ${row.id} is not migrating.`);
    }),
  ];
}

function changeActions(deps: BlockStorageDeps): Endpoint[] {
  const action = actionMaker(deps);
  const change = (id: string, from: readonly string[] | undefined, to: Partial<VolumeRow>) => deps.db.transaction((tx) => changeVolume(tx, deps, id, from, to));
  return [
    action('os-extend', 'volume:extend', Type.Object({ new_size: sizeNumber }), async (row, { new_size }, call) => {
      const online = call.version >= versions.EXTEND_IN_USE;
      if (row.status === 'in-use' && online) call.enforce('volume:extend_attached_volume', { project_id: row.project_id });
      await extendVolume(deps, ids(call), row, Number(new_size), online);
    }),
    action('os-set_bootable', 'volume:update', Type.Object({ bootable: looseBoolean }), async (row, { bootable }) => {
      await change(row.id, undefined, { bootable: asBoolean(bootable) ? 1 : 0 });
      return reply(undefined, { status: 200 });
    }, undefined, 200),
    action('os-update_readonly_flag', 'volume:update_readonly_flag', Type.Object({ readonly: looseBoolean }), async (row, { readonly }) => {
      await change(row.id, ['available'], { read_only: asBoolean(readonly) ? 1 : 2 });
    }),
    action('os-retype', 'volume:retype', Type.Object({ new_type: Type.String({ minLength: 1, maxLength: 255 }), migration_policy: Type.Optional(Type.Union([Type.Literal('never'), Type.Literal('on-demand'), Type.Null()])) }), async (row, { new_type, migration_policy }, call) => {
      await retypeVolume(deps, eyes(call), row, new_type, migration_policy ?? 'never');
    }),
    action('revert', 'volume:revert_to_snapshot', Type.Object({ snapshot_id: Type.Optional(nullableText) }), (row, { snapshot_id }, call) => revertVolume(deps, ids(call), row, snapshot_id ?? null), versions.VOLUME_REVERT),
    action('os-reimage', 'volume:reimage', Type.Object({ image_id: Type.String(), reimage_reserved: Type.Optional(looseBoolean) }), async (row, { image_id, reimage_reserved }, call) => {
      const image = await imageFor(deps, call.auth, image_id);
      if (Math.max(Math.ceil((image.size ?? 0) / 2 ** 30), image.min_disk) > row.size) throw invalidInputOf(`Size of specified image is larger than volume size ${row.size}GB.`);
      await deps.db.transaction(async (tx) => {
        const from = asBoolean(reimage_reserved) ? ['available', 'error', 'reserved'] : ['available', 'error'];
        await changeVolume(tx, deps, row.id, from, { status: 'downloading', previous_status: row.status === 'error' ? 'available' : row.status, image_metadata_json: JSON.stringify(imageMetadata(image)) });
        await deps.work.start(tx, 'reimage-volume', { volume_id: row.id, image: imageRef(image) }, ids(call));
      });
    }, versions.REIMAGE),
  ];
}

function imageMetadataActions(deps: BlockStorageDeps): Endpoint[] {
  const action = actionMaker(deps);
  const pairs = Type.Unsafe<Record<string, string>>({ type: 'object', patternProperties: { '^.{1,255}$': { type: 'string', maxLength: 255 } }, additionalProperties: false });
  const store = (row: VolumeRow, metadata: Record<string, string>) => deps.db.transaction((tx) => volumes.update(tx, row.id, { image_metadata_json: Object.keys(metadata).length === 0 ? null : JSON.stringify(metadata) }));
  const had = (row: VolumeRow): Record<string, string> => (row.image_metadata_json === null ? {} : json(row.image_metadata_json));
  return [
    action('os-set_image_metadata', 'volume_extension:volume_image_metadata:set', Type.Object({ metadata: pairs }), async (row, { metadata }) => {
      const all = { ...had(row), ...metadata };
      await store(row, all);
      return { metadata: all };
    }, undefined, 200),
    action('os-show_image_metadata', 'volume_extension:volume_image_metadata:show', anything, async (row) => ({ metadata: had(row) }), undefined, 200),
    action('os-unset_image_metadata', 'volume_extension:volume_image_metadata:remove', Type.Object({ key: Type.String({ minLength: 1, maxLength: 255 }) }), async (row, { key }) => {
      const { [key as string]: gone, ...rest } = had(row);
      if (gone === undefined) throw badRequest('block-storage.no-such-key', 'Metadata item was not found.');
      await store(row, rest);
    }, undefined, 200),
  ];
}

export const volumeActionEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...attachActions(deps), ...adminActions(deps), ...changeActions(deps), ...imageMetadataActions(deps)];

const at = 'POST /volumes/{volume_id}/action' as const;

export const volumeActionPolicies: PolicyRule[] = [
  ...['attach', 'detach', 'reserve', 'unreserve', 'begin_detaching', 'roll_detaching', 'initialize_connection', 'terminate_connection'].map((name) => rule(`${rules}:${name}`, MEMBER, `Do ${name} on a volume.`, at)),
  ...['reset_status', 'force_delete', 'force_detach', 'migrate_volume', 'migrate_volume_completion'].map((name) => rule(`${admin}:${name}`, ADMIN, `Do ${name} on a volume.`, at)),
  rule('volume:extend', MEMBER, 'Make a volume larger.', at),
  rule('volume:extend_attached_volume', MEMBER, 'Make a volume larger while it is in use.', at),
  rule('volume:update_readonly_flag', MEMBER, 'Say whether a volume may be written.', at),
  rule('volume:retype', MEMBER, 'Give a volume another type.', at),
  rule('volume:revert_to_snapshot', MEMBER, 'Take a volume back to its latest snapshot.', at),
  rule('volume:reimage', MEMBER, 'Write a volume anew from an image.', at),
  rule('volume_extension:volume_image_metadata:show', READER, 'See what a volume remembers of its image.', at),
  rule('volume_extension:volume_image_metadata:set', MEMBER, 'Change what a volume remembers of its image.', at),
  rule('volume_extension:volume_image_metadata:remove', MEMBER, 'Forget what a volume remembers of its image.', at),
];

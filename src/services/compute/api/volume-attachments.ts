/** Volumes of a server (nova/api/openstack/compute/volume_attachments.py). */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { nullable, uuidString } from '../../../kernel/api/schema.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { attachVolume, type AttachmentChange, type AttachVolume, changeAttachment, detachVolume, findAttachment, swapVolume } from '../model/volumes.ts';
import { devicesOf } from '../store/block-devices.ts';
import type { BlockDeviceRow, ServerRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { strictQuery } from './common.ts';
import { asBoolean, looseBoolean, tagText } from './parameters.ts';
import { MEMBER, READER, rule } from './rules.ts';
import { isAdmin, readerOf, serverOf, serverTarget } from './server-target.ts';

const closed = { additionalProperties: false } as const;
const list = '/v2.1/servers/{server_id}/os-volume_attachments';
const one = '/v2.1/servers/{server_id}/os-volume_attachments/{volume_id}';

/** A device of nova's, or where the file system of the volume is to be mounted. */
const device = nullable(Type.String({ pattern: '^(/dev/x?[a-z]?d?[a-z]+[0-9]*|/(?!dev(/|$))[a-zA-Z0-9._/-]+)$', maxLength: 255 }));

const wanted = Type.Object({
  volumeId: uuidString,
  device: Type.Optional(device),
  tag: Type.Optional(since(versions.ATTACH_TAGS, tagText)),
  delete_on_termination: Type.Optional(since(versions.DELETE_ON_TERMINATION, looseBoolean)),
}, closed);

const later = versions.UPDATE_ATTACHMENT;
const changed = Type.Object({
  volumeId: uuidString,
  device: Type.Optional(since(later, device)),
  tag: Type.Optional(since(later, tagText)),
  delete_on_termination: Type.Optional(since(later, looseBoolean)),
  serverId: Type.Optional(since(later, uuidString)),
  id: Type.Optional(since(later, uuidString)),
}, closed);

const shown = Type.Object({
  id: Type.Optional(Type.String()),
  volumeId: Type.String(),
  serverId: Type.String(),
  device: Type.Optional(Type.String()),
  tag: Type.Optional(nullable(Type.String())),
  delete_on_termination: Type.Optional(Type.Boolean()),
  attachment_id: Type.Optional(Type.String()),
  bdm_uuid: Type.Optional(Type.String()),
});

export const volumeAttachmentPolicies: PolicyRule[] = [
  rule('os-volumes-attachments:index', READER, 'List the volumes of a server.', 'GET /servers/{server_id}/os-volume_attachments'),
  rule('os-volumes-attachments:create', MEMBER, 'Attach a volume to a server.', 'POST /servers/{server_id}/os-volume_attachments'),
  rule('os-volumes-attachments:show', READER, 'Show a volume of a server.', 'GET /servers/{server_id}/os-volume_attachments/{volume_id}'),
  rule('os-volumes-attachments:update', MEMBER, 'Say whether a volume goes with its server.', 'PUT /servers/{server_id}/os-volume_attachments/{volume_id}'),
  rule('os-volumes-attachments:swap', 'rule:service_or_admin', 'Put another volume in the place of one of a server.', 'PUT /servers/{server_id}/os-volume_attachments/{volume_id}'),
  rule('os-volumes-attachments:delete', MEMBER, 'Detach a volume from a server.', 'DELETE /servers/{server_id}/os-volume_attachments/{volume_id}'),
];

function show(row: BlockDeviceRow, version: number) {
  const ids = version >= versions.ATTACHMENT_IDS;
  return {
    ...(ids ? {} : { id: row.volume_id }),
    volumeId: row.volume_id,
    serverId: row.server_id,
    device: row.device,
    ...(version >= versions.ATTACHMENT_TAGS ? { tag: row.tag } : {}),
    ...(version >= versions.DELETE_ON_TERMINATION ? { delete_on_termination: row.delete_on_termination === 1 } : {}),
    ...(ids ? { attachment_id: row.attachment_id ?? '', bdm_uuid: row.id } : {}),
  };
}

/** What create answers: the ids of 2.89 came to the other calls only. */
function showNew(row: BlockDeviceRow, version: number) {
  const { attachment_id: _attachment, bdm_uuid: _bdm, ...rest } = show(row, version) as ReturnType<typeof show> & { attachment_id?: string; bdm_uuid?: string };
  return { ...rest, id: row.volume_id };
}

/** Before 2.20 the volumes of a server on the shelf were out of reach. @throws Fault 409 */
function checkShelf(call: Pick<Call, 'version'>, row: ServerRow, action: string): void {
  if (call.version >= versions.SHELVED_VOLUMES || (row.vm_state !== 'shelved' && row.vm_state !== 'shelved_offloaded')) return;
  throw conflict('compute.invalid-state', `Cannot '${action}' instance ${row.id} while it is in vm_state ${row.vm_state}`);
}

export const volumeAttachmentEndpoints = (deps: ComputeDeps): Endpoint[] => [...reads(deps), create(deps), update(deps), remove(deps)];

const reads = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'volume-attachments:list',
    method: 'GET',
    path: list,
    summary: 'List the volumes of a server',
    policy: 'os_compute_api:os-volumes-attachments:index',
    target: serverTarget(deps),
    query: Type.Object({ limit: Type.Optional(Type.String({ pattern: '^[0-9]+$' })), offset: Type.Optional(Type.String({ pattern: '^[0-9]+$' })) }),
    reply: Type.Object({ volumeAttachments: Type.Array(shown) }),
    status: 200,
    async handler(call) {
      if (call.version >= versions.STRICT_QUERIES) strictQuery(call, ['limit', 'offset']);
      const { limit, offset } = call.query;
      const rows = await devicesOf(readerOf(deps), call.params.server_id);
      const from = Number(offset ?? 0);
      const page = rows.slice(from, from + Math.min(limit === undefined || Number(limit) === 0 ? deps.config.max_limit : Number(limit), deps.config.max_limit));
      const known = page.filter(({ attachment_id }) => call.version < versions.ATTACHMENT_IDS || attachment_id !== null);
      return { volumeAttachments: known.map((row) => show(row, call.version)) };
    },
  }),
  endpoint({
    id: 'volume-attachments:show',
    method: 'GET',
    path: one,
    summary: 'Show a volume of a server',
    policy: 'os_compute_api:os-volumes-attachments:show',
    target: serverTarget(deps),
    reply: Type.Object({ volumeAttachment: shown }),
    status: 200,
    handler: async (call) => ({ volumeAttachment: show(await findAttachment(deps, call.params.server_id, call.params.volume_id), call.version) }),
  }),
];

const create = (deps: ComputeDeps): Endpoint =>
  endpoint({
    id: 'volume-attachments:create',
    method: 'POST',
    path: list,
    summary: 'Attach a volume to a server',
    policy: 'os_compute_api:os-volumes-attachments:create',
    target: serverTarget(deps),
    body: Type.Object({ volumeAttachment: wanted }, closed),
    reply: Type.Object({ volumeAttachment: shown }),
    status: 200,
    async handler(call) {
      const row = serverOf(call);
      checkShelf(call, row, 'attach_volume');
      const { volumeId, device: at, tag, delete_on_termination } = call.body.volumeAttachment;
      const asked: AttachVolume = {
        volume_id: volumeId, device: at ?? undefined, tag, delete_on_termination: delete_on_termination !== undefined && asBoolean(delete_on_termination),
        multiattach: call.version >= versions.MULTI_ATTACH,
      };
      const made = await attachVolume(deps, { ctx: call.ctx, is_admin: isAdmin(call) }, call.auth, row, asked);
      return { volumeAttachment: showNew(made, call.version) };
    },
  });

const update = (deps: ComputeDeps): Endpoint =>
  endpoint({
    id: 'volume-attachments:update',
    method: 'PUT',
    path: one,
    summary: 'Say whether a volume goes with its server, or put another one in its place',
    policy: 'os_compute_api:os-volumes-attachments:update',
    target: serverTarget(deps),
    body: Type.Object({ volumeAttachment: changed }, closed),
    status: 202,
    async handler(call) {
      const row = serverOf(call);
      const { volume_id } = call.params;
      const { volumeId, delete_on_termination, ...same } = call.body.volumeAttachment;
      const only_swap = call.version < versions.UPDATE_ATTACHMENT;
      const swaps = only_swap || volumeId !== volume_id;
      if (swaps) call.enforce('os_compute_api:os-volumes-attachments:swap');
      if (!only_swap) {
        const change = { ...same, ...(delete_on_termination === undefined ? {} : { delete_on_termination: asBoolean(delete_on_termination) }) } as AttachmentChange;
        await changeAttachment(deps, await findAttachment(deps, row.id, volume_id), change);
      }
      if (swaps) await swapVolume(deps, call.auth, volume_id);
      return undefined;
    },
  });

const remove = (deps: ComputeDeps): Endpoint =>
  endpoint({
    id: 'volume-attachments:delete',
    method: 'DELETE',
    path: one,
    summary: 'Detach a volume from a server',
    policy: 'os_compute_api:os-volumes-attachments:delete',
    target: serverTarget(deps),
    status: 202,
    async handler(call) {
      const row = serverOf(call);
      checkShelf(call, row, 'detach_volume');
      await detachVolume(deps, { ctx: call.ctx, is_admin: isAdmin(call) }, call.auth, row, call.params.volume_id);
      return undefined;
    },
  });

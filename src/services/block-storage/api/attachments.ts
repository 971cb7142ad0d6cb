import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { attachmentNotFound, invalidVolume, volumeNotFound } from '../faults.ts';
import { attachmentsOf, changeAttachment, release, reserve } from '../model/attachments.ts';
import { mine } from '../model/volumes.ts';
import { attachments, volumes } from '../store/rows.ts';
import type { AttachmentRow, VolumeRow } from '../store/tables.ts';
import { MEMBER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { instant, listed, nullableText, owned, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';
import { connectionOf } from './volume-actions.ts';

const PATH = '/v3/attachments';
const since = versions.ATTACHMENTS;

const summary = (row: AttachmentRow) => ({ id: row.id, status: row.attach_status, instance: row.instance_id, volume_id: row.volume_id });

const view = (row: AttachmentRow, volume: VolumeRow | undefined) => ({
  ...summary(row), attached_at: instant(row.attached_at) ?? '', detached_at: instant(row.detached_at) ?? '', attach_mode: row.attach_mode,
  connection_info: row.connector_json === null || volume === undefined ? {} : { ...connectionOf(volume).data, driver_volume_type: 'gantry', attachment_id: row.id },
});

const listing: ListingRules = {
  strict: true,
  filters: { volume_id: { column: 'volume_id', kind: 'text' }, status: { column: 'attach_status', kind: 'text' }, instance_id: { column: 'instance_id', kind: 'text' }, attach_status: { column: 'attach_status', kind: 'text' }, id: { column: 'id', kind: 'text' } },
  sort: { status: 'attach_status' },
};

const connector = Type.Union([Type.Object({}), Type.Null()]);

/** What a connector tells of the host it is on. */
function connected(deps: BlockStorageDeps, given: object, mode: string | null): Partial<AttachmentRow> {
  const { host, mountpoint, node_id } = given as { host?: unknown; mountpoint?: unknown; node_id?: unknown };
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return { attach_status: 'attaching', connector_json: JSON.stringify(given), attached_host: text(host), mountpoint: text(mountpoint), node_id: text(node_id), attach_mode: mode ?? 'rw', attached_at: isoMicros(deps.clock.now()) };
}

const readEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, attachments, attachmentNotFound);
  return [
    ...(['', '/detail'] as const).map((path) => endpoint({
      id: `attachments:list${path}`, method: 'GET', path: `${PATH}${path}`, summary: 'List attachments', policy: 'volume:attachment_list', since, status: 200, reply: listed('attachments'),
      async handler(call) {
        const page = await readPage(readerOf(deps), attachments, call, readListing(call, deps.config, listing), 'attachments');
        if (path === '') return { attachments: page.rows.map(summary), ...page.more };
        const found = await volumes.all(readerOf(deps), [{ column: 'id', op: 'in', value: [...new Set(page.rows.map(({ volume_id }) => volume_id))] }]);
        return { attachments: page.rows.map((row) => view(row, found.find(({ id }) => id === row.volume_id))), ...page.more };
      },
    })),
    endpoint({
      id: 'attachments:show', method: 'GET', path: `${PATH}/{id}`, summary: 'Show an attachment', policy: 'volume:attachment_list', target, since, status: 200, reply: shown('attachment'),
      handler: async (call) => ({ attachment: view(rowOf(call), await volumes.find(readerOf(deps), rowOf(call).volume_id)) }),
    }),
  ];
};

const writeEndpoints = (deps: BlockStorageDeps): Endpoint[] => {
  const { target, rowOf } = owned(deps, attachments, attachmentNotFound);
  const shownOf = async (row: AttachmentRow) => ({ attachment: view(row, await volumes.find(readerOf(deps), row.volume_id)) });
  return [
    endpoint({
      id: 'attachments:create', method: 'POST', path: PATH, summary: 'Reserve a volume, or attach it', policy: 'volume:attachment_create', since, status: 200, reply: shown('attachment'),
      body: wrapped('attachment', Type.Object({ volume_uuid: Type.String({ minLength: 1 }), instance_uuid: Type.Optional(nullableText), connector: Type.Optional(connector), mode: Type.Optional(Type.Union([Type.Literal('rw'), Type.Literal('ro')])) }, { additionalProperties: true })),
      async handler(call) {
        const { volume_uuid, instance_uuid, connector: given, mode } = call.body.attachment;
        const volume = await volumes.find(readerOf(deps), volume_uuid);
        if (volume === undefined || !mine(call.auth, volume)) throw volumeNotFound(volume_uuid);
        if (mode === 'rw' && volume.read_only === 1) throw invalidVolume('A read-only volume cannot be attached read-write.');
        const row = await reserve(deps, volume_uuid, instance_uuid ?? null, mode ?? null);
        if (given === undefined || given === null || Object.keys(given).length === 0) return (await shownOf(row));
        return (await shownOf(await changeAttachment(deps, row.id, connected(deps, given, mode ?? null))));
      },
    }),
    endpoint({
      id: 'attachments:update', method: 'PUT', path: `${PATH}/{id}`, summary: 'Tell an attachment to what it connects', policy: 'volume:attachment_update', target, since, status: 200, reply: shown('attachment'),
      body: wrapped('attachment', Type.Object({ connector: Type.Object({}) })),
      async handler(call) {
        const row = rowOf(call);
        const given = call.body.attachment.connector;
        const others = (await attachmentsOf(readerOf(deps), row.volume_id)).filter(({ id, attach_status }) => id !== row.id && attach_status !== 'reserved');
        const volume = await volumes.find(readerOf(deps), row.volume_id);
        if (others.length > 0 && volume?.multiattach !== 1) throw invalidVolume(`Volume ${row.volume_id} is attached already, and cannot be attached twice.`);
        return (await shownOf(await changeAttachment(deps, row.id, connected(deps, given, row.attach_mode ?? ('mode' in given ? String(given.mode) : null)))));
      },
    }),
    endpoint({
      id: 'attachments:os-complete', method: 'POST', path: `${PATH}/{id}/action`, action: 'os-complete', summary: 'Say that an attachment is there', policy: 'volume:attachment_complete', target,
      since: versions.ATTACHMENT_COMPLETE, status: 204, body: Type.Object({ 'os-complete': Type.Unknown() }),
      async handler(call) {
        if (!['attaching', 'attached'].includes(rowOf(call).attach_status)) throw conflict('block-storage.attachment-state', `Attachment ${call.params.id} is not being attached.`);
        await changeAttachment(deps, call.params.id, { attach_status: 'attached', attached_at: isoMicros(deps.clock.now()) });
        return reply();
      },
    }),
    endpoint({
      id: 'attachments:delete', method: 'DELETE', path: `${PATH}/{id}`, summary: 'Detach a volume', policy: 'volume:attachment_delete', target, since, status: 200, reply: listed('attachments'),
      async handler(call: Pick<Call, 'ctx'>) {
        const { id, volume_id } = rowOf(call);
        await release(deps, id);
        return { attachments: (await attachmentsOf(readerOf(deps), volume_id)).map(summary) };
      },
    }),
  ];
};

export const attachmentEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...readEndpoints(deps), ...writeEndpoints(deps)];

export const attachmentPolicies: PolicyRule[] = [
  rule('volume:attachment_list', 'rule:project_reader_or_admin', 'List and show attachments.', 'GET /attachments', 'GET /attachments/detail', 'GET /attachments/{id}'),
  rule('volume:attachment_create', MEMBER, 'Reserve or attach a volume.', 'POST /attachments'),
  rule('volume:attachment_update', MEMBER, 'Tell an attachment to what it connects.', 'PUT /attachments/{id}'),
  rule('volume:attachment_complete', MEMBER, 'Say that an attachment is there.', 'POST /attachments/{id}/action'),
  rule('volume:attachment_delete', MEMBER, 'Detach a volume.', 'DELETE /attachments/{id}'),
];

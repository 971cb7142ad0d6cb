/** Volumes and snapshots as projects saw them through the Compute API: a proxy of block storage, up to 2.35. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { forbidden, isFault } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ProxiedSnapshot, ProxiedVolume } from '../../block-storage/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { versions } from '../versions.ts';
import { asBoolean, looseBoolean } from './parameters.ts';
import { MEMBER, READER, rule } from './rules.ts';

const UNTIL = versions.NO_PROXIES - 1;
const VOLUMES = '/v2.1/os-volumes';
const SNAPSHOTS = '/v2.1/os-snapshots';
const closed = { additionalProperties: false } as const;
const text = Type.Optional(Type.String());

export const volumePolicies: PolicyRule[] = [
  rule('os-volumes:list', READER, 'List volumes.', 'GET /os-volumes'),
  rule('os-volumes:create', MEMBER, 'Create a volume.', 'POST /os-volumes'),
  rule('os-volumes:detail', READER, 'List volumes with all they have.', 'GET /os-volumes/detail'),
  rule('os-volumes:show', READER, 'Show a volume.', 'GET /os-volumes/{volume_id}'),
  rule('os-volumes:delete', MEMBER, 'Delete a volume.', 'DELETE /os-volumes/{volume_id}'),
  rule('os-volumes:snapshots:list', READER, 'List snapshots.', 'GET /os-snapshots'),
  rule('os-volumes:snapshots:create', MEMBER, 'Create a snapshot.', 'POST /os-snapshots'),
  rule('os-volumes:snapshots:detail', READER, 'List snapshots with all they have.', 'GET /os-snapshots/detail'),
  rule('os-volumes:snapshots:show', READER, 'Show a snapshot.', 'GET /os-snapshots/{snapshot_id}'),
  rule('os-volumes:snapshots:delete', MEMBER, 'Delete a snapshot.', 'DELETE /os-snapshots/{snapshot_id}'),
];

const at = (instant: string): string => isoMicrosNoZone(instant);

function showVolume(volume: ProxiedVolume) {
  const { id, status, size, metadata, attached } = volume;
  const attachment = attached === null ? {} : { id, volumeId: id, serverId: attached.server_id, ...(attached.device === null ? {} : { device: attached.device }) };
  return {
    id, status, size, metadata, attachments: [attachment], availabilityZone: volume.availability_zone, createdAt: at(volume.created_at), displayName: volume.name,
    displayDescription: volume.description, volumeType: volume.volume_type, snapshotId: volume.snapshot_id,
  };
}

function showSnapshot({ id, status, size, ...snapshot }: ProxiedSnapshot) {
  return { id, status, size, volumeId: snapshot.volume_id, createdAt: at(snapshot.created_at), displayName: snapshot.name, displayDescription: snapshot.description };
}

const shown = Type.Object({ id: Type.String(), status: Type.String(), size: Type.Integer() });
const query = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 0 })), offset: Type.Optional(Type.Integer({ minimum: 0 })) });

function pageOf<T>(deps: ComputeDeps, { limit, offset = 0 }: { limit?: number; offset?: number }, all: readonly T[]): T[] {
  return all.slice(offset, offset + Math.min(limit === undefined || limit === 0 ? deps.config.max_limit : limit, deps.config.max_limit));
}

/** What block storage calls too large, compute forbids. */
async function inNovaWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.status === 413) throw forbidden(error.code, error.message);
    throw error;
  }
}

export const volumeEndpoints = (deps: ComputeDeps): Endpoint[] => [...volumeReads(deps), ...volumeChanges(deps), ...snapshotReads(deps), ...snapshotChanges(deps)];

function volumeReads(deps: ComputeDeps): Endpoint[] {
  const list = (id: 'list' | 'detail', path: string) => endpoint({
    id: `volumes:${id}`, method: 'GET', path, summary: 'List volumes', policy: `os_compute_api:os-volumes:${id}`, status: 200, until: UNTIL, query, reply: Type.Object({ volumes: Type.Array(shown) }),
    handler: async (call) => ({ volumes: pageOf(deps, call.query, await deps.volumes.proxy.volumes(call.auth)).map(showVolume) }),
  });
  return [
    list('list', VOLUMES),
    list('detail', `${VOLUMES}/detail`),
    endpoint({
      id: 'volumes:show', method: 'GET', path: `${VOLUMES}/{volume_id}`, summary: 'Show a volume', policy: 'os_compute_api:os-volumes:show', status: 200, until: UNTIL, reply: Type.Object({ volume: shown }),
      handler: async (call) => ({ volume: showVolume(await deps.volumes.proxy.volume(call.auth, (call.params as { volume_id: string }).volume_id)) }),
    }),
  ];
}

const newVolume = Type.Object({
  volume_type: text, metadata: Type.Optional(Type.Record(Type.String(), Type.String())), snapshot_id: text,
  size: Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[0-9]+$' })]), availability_zone: text, display_name: text, display_description: text,
}, closed);

const located = <T extends object>(call: Pick<Call, 'base'>, path: string, id: string, body: T) => reply(body as never, { headers: { location: `${call.base}${path}/${id}` } });

const volumeChanges = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'volumes:create', method: 'POST', path: VOLUMES, summary: 'Create a volume', policy: 'os_compute_api:os-volumes:create', status: 200, until: UNTIL, body: Type.Object({ volume: newVolume }, closed),
    async handler(call) {
      const { volume } = call.body;
      const made = await inNovaWords(deps.volumes.proxy.createVolume(call.auth, {
        size: Number(volume.size), name: volume.display_name ?? null, description: volume.display_description ?? null, volume_type: volume.volume_type ?? null, snapshot_id: volume.snapshot_id ?? null,
        availability_zone: volume.availability_zone ?? null, metadata: volume.metadata ?? {},
      }));
      return located(call, VOLUMES, made.id, { volume: showVolume(made) });
    },
  }),
  endpoint({
    id: 'volumes:delete', method: 'DELETE', path: `${VOLUMES}/{volume_id}`, summary: 'Delete a volume', policy: 'os_compute_api:os-volumes:delete', status: 202, until: UNTIL,
    async handler(call) {
      await deps.volumes.deleteVolume(call.auth, call.params.volume_id);
      return undefined;
    },
  }),
];

function snapshotReads(deps: ComputeDeps): Endpoint[] {
  const list = (id: 'list' | 'detail', path: string) => endpoint({
    id: `volume-snapshots:${id}`, method: 'GET', path, summary: 'List snapshots', policy: `os_compute_api:os-volumes:snapshots:${id}`, status: 200, until: UNTIL, query, reply: Type.Object({ snapshots: Type.Array(shown) }),
    handler: async (call) => ({ snapshots: pageOf(deps, call.query, await deps.volumes.proxy.snapshots(call.auth)).map(showSnapshot) }),
  });
  return [
    list('list', SNAPSHOTS),
    list('detail', `${SNAPSHOTS}/detail`),
    endpoint({
      id: 'volume-snapshots:show', method: 'GET', path: `${SNAPSHOTS}/{snapshot_id}`, summary: 'Show a snapshot', policy: 'os_compute_api:os-volumes:snapshots:show', status: 200, until: UNTIL, reply: Type.Object({ snapshot: shown }),
      handler: async (call) => ({ snapshot: showSnapshot(await deps.volumes.proxy.snapshot(call.auth, (call.params as { snapshot_id: string }).snapshot_id)) }),
    }),
  ];
}

const newSnapshot = Type.Object({ volume_id: Type.String(), force: Type.Optional(looseBoolean), display_name: text, display_description: text }, closed);

const snapshotChanges = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'volume-snapshots:create', method: 'POST', path: SNAPSHOTS, summary: 'Create a snapshot', policy: 'os_compute_api:os-volumes:snapshots:create', status: 200, until: UNTIL, body: Type.Object({ snapshot: newSnapshot }, closed),
    async handler(call) {
      const { volume_id, force, display_name: name = null, display_description: description = null } = call.body.snapshot;
      const made = await inNovaWords(deps.volumes.proxy.createSnapshot(call.auth, { volume_id, name, description, force: force !== undefined && asBoolean(force) }));
      return { snapshot: showSnapshot(made) };
    },
  }),
  endpoint({
    id: 'volume-snapshots:delete', method: 'DELETE', path: `${SNAPSHOTS}/{snapshot_id}`, summary: 'Delete a snapshot', policy: 'os_compute_api:os-volumes:snapshots:delete', status: 202, until: UNTIL,
    async handler(call) {
      await deps.volumes.proxy.deleteSnapshot(call.auth, call.params.snapshot_id);
      return undefined;
    },
  }),
];

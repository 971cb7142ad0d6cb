import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Transaction } from 'kysely';
import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { invalidVolume, transferNotFound, volumeNotFound } from '../faults.ts';
import { claim } from '../model/quotas.ts';
import { changeVolume } from '../model/volume-state.ts';
import { mine } from '../model/volumes.ts';
import { snapshots, transfers, types, volumes } from '../store/rows.ts';
import type { BlockStorageTables, TransferRow } from '../store/tables.ts';
import { MEMBER, READER, rule } from '../policies.ts';
import { versions } from '../versions.ts';
import { asBoolean, clean, instant, links, listed, looseBoolean, nullableText, owned, projectOf, readerOf, shown, wrapped } from './common.ts';
import { type ListingRules, readListing, readPage } from './listing.ts';

const listing: ListingRules = { filters: { name: { column: 'name', kind: 'text' }, volume_id: { column: 'volume_id', kind: 'text' }, id: { column: 'id', kind: 'text' } }, sort: { name: 'name' } };

const fields = {
  id: Type.String(), source_project_id: Type.Optional(since(versions.TRANSFER_HISTORY, nullableText)), destination_project_id: Type.Optional(since(versions.TRANSFER_HISTORY, nullableText)),
  accepted: Type.Optional(since(versions.TRANSFER_HISTORY, Type.Boolean())), no_snapshots: Type.Optional(since(versions.TRANSFER_SNAPSHOTS, Type.Boolean())),
};

const summary = (call: Pick<AnyCall, 'base' | 'auth'>, { id, name, volume_id }: TransferRow) => ({ id, name, volume_id, links: links(call, 'volume-transfers', id) });
const view = (call: Pick<AnyCall, 'base' | 'auth'>, row: TransferRow) => ({
  ...summary(call, row), created_at: instant(row.created_at), source_project_id: row.project_id, destination_project_id: row.destination_project_id, accepted: row.accepted === 1, no_snapshots: row.no_snapshots === 1,
});

const hashOf = (salt: string, key: string): string => createHmac('sha256', salt).update(key).digest('hex');
const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** The volume is the other project's from now on. @throws Fault 413 */
async function handOver(tx: Transaction<BlockStorageTables>, deps: BlockStorageDeps, row: TransferRow, project_id: string, user_id: string): Promise<void> {
  const volume = await volumes.find(tx, row.volume_id);
  if (volume === undefined) throw volumeNotFound(row.volume_id);
  if (volume.status !== 'awaiting-transfer') throw invalidVolume(`Volume ${volume.id} is not awaiting a transfer.`);
  const parts = row.no_snapshots === 1 ? [] : await snapshots.all(tx, [{ column: 'volume_id', op: 'eq', value: volume.id }]);
  const type = await types.find(tx, volume.type_id);
  const gigabytes = volume.size + (deps.config.no_snapshot_gb_quota ? 0 : parts.reduce((sum, { volume_size }) => sum + volume_size, 0));
  await claim(tx, deps, project_id, { volumes: 1, snapshots: parts.length, gigabytes }, type?.name);
  await changeVolume(tx, deps, volume.id, ['awaiting-transfer'], { project_id, user_id, status: 'available' });
  for (const { id } of parts) await snapshots.update(tx, id, { project_id, user_id });
  await transfers.remove(tx, row.id);
}

/** @param path of the older API or of the newer one, which is there since `from` */
function transferApi(deps: BlockStorageDeps, path: string, name: string, from: Microversion | undefined): Endpoint[] {
  const { target, rowOf } = owned(deps, transfers, transferNotFound);
  const common = from === undefined ? {} : { since: from };
  return [
    ...(['', '/detail'] as const).map((part) => endpoint({
      ...common, id: `${name}:list${part}`, method: 'GET', path: `${path}${part}`, summary: 'List transfers', policy: 'volume:get_all_transfers', status: 200, reply: listed('transfers', fields),
      async handler(call) {
        const page = await readPage(readerOf(deps), transfers, call, readListing(call, deps.config, listing), 'transfers');
        return { transfers: page.rows.map((row) => (part === '' ? summary : view)(call, row)), ...page.more };
      },
    })),
    endpoint({
      ...common, id: `${name}:create`, method: 'POST', path, summary: 'Offer a volume to another project', policy: 'volume:create_transfer', status: 202, reply: shown('transfer', fields),
      body: wrapped('transfer', Type.Object({ volume_id: Type.String({ minLength: 1 }), name: Type.Optional(nullableText), no_snapshots: Type.Optional(looseBoolean) }, { additionalProperties: true })),
      async handler(call) {
        const { volume_id, name: named, no_snapshots } = call.body.transfer;
        const volume = await volumes.find(readerOf(deps), volume_id);
        if (volume === undefined || !mine(call.auth, volume)) throw volumeNotFound(volume_id);
        if (volume.encrypted === 1 && call.version < versions.TRANSFER_ENCRYPTED) throw invalidVolume('transferring encrypted volume is not supported');
        const [auth_key, salt] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
        const row: TransferRow = {
          id: uuid(), volume_id, project_id: volume.project_id, name: clean(named), salt, crypt_hash: hashOf(salt, auth_key), no_snapshots: asBoolean(no_snapshots) ? 1 : 0,
          destination_project_id: null, accepted: 0, created_at: isoMicros(deps.clock.now()),
        };
        await deps.db.transaction(async (tx) => {
          await changeVolume(tx, deps, volume_id, ['available'], { status: 'awaiting-transfer' }, 'status must be available');
          await transfers.insert(tx, row);
        });
        return { transfer: { ...view(call, row), auth_key } };
      },
    }),
    endpoint({ ...common, id: `${name}:show`, method: 'GET', path: `${path}/{id}`, summary: 'Show a transfer', policy: 'volume:get_transfer', target, status: 200, reply: shown('transfer', fields), handler: (call) => ({ transfer: view(call, rowOf(call)) }) }),
    endpoint({
      ...common, id: `${name}:delete`, method: 'DELETE', path: `${path}/{id}`, summary: 'Take an offer back', policy: 'volume:delete_transfer', target, status: 202,
      async handler(call) {
        const row = rowOf(call);
        await deps.db.transaction(async (tx) => {
          await transfers.remove(tx, row.id);
          await volumes.update(tx, row.volume_id, { status: 'available' }, [{ column: 'status', op: 'eq', value: 'awaiting-transfer' }]);
        });
        return reply();
      },
    }),
    endpoint({
      ...common, id: `${name}:accept`, method: 'POST', path: `${path}/{id}/accept`, summary: 'Take a volume over', policy: 'volume:accept_transfer', status: 202, reply: shown('transfer'),
      body: wrapped('accept', Type.Object({ auth_key: Type.String({ minLength: 1, maxLength: 255 }) })),
      async handler(call) {
        const row = await transfers.find(readerOf(deps), call.params['id'] ?? '');
        if (row === undefined) throw transferNotFound(call.params['id'] ?? '');
        if (!same(hashOf(row.salt, call.body.accept.auth_key), row.crypt_hash)) throw badRequest('block-storage.auth-key', `Invalid auth key: Attempt to transfer ${row.id} with invalid auth key.`);
        await deps.db.transaction((tx) => handOver(tx, deps, row, projectOf(call), call.auth.user_id));
        return { transfer: summary(call, row) };
      },
    }),
  ];
}

export const transferEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  ...transferApi(deps, '/v3/os-volume-transfer', 'os-volume-transfer', undefined),
  ...transferApi(deps, '/v3/volume-transfers', 'volume-transfers', versions.TRANSFER_SNAPSHOTS),
];

const both = (method: 'GET' | 'POST' | 'DELETE', part: string) => [`${method} /os-volume-transfer${part}`, `${method} /volume-transfers${part}`] as const;

export const transferPolicies: PolicyRule[] = [
  rule('volume:get_all_transfers', READER, 'List transfers.', ...both('GET', ''), ...both('GET', '/detail')),
  rule('volume:create_transfer', MEMBER, 'Offer a volume to another project.', ...both('POST', '')),
  rule('volume:get_transfer', READER, 'Show a transfer.', ...both('GET', '/{id}')),
  rule('volume:accept_transfer', MEMBER, 'Take a volume over.', ...both('POST', '/{id}/accept')),
  rule('volume:delete_transfer', MEMBER, 'Take an offer back.', ...both('DELETE', '/{id}')),
];

/** Groups of hosts with metadata; one key of it, `availability_zone`, puts the hosts into a zone. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { as, asTransaction } from '../../../kernel/db/database.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, type Fault, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { ComputeDeps } from '../deps.ts';
import {
  type AggregateRow, aggregatesOfHosts, deleteAggregate, deleteAggregateHost, findAggregate, hostsOfAggregates, insertAggregate, insertAggregateHost,
  listAggregates, lockAggregate, updateAggregate,
} from '../store/aggregates.ts';
import { countServersOnHosts, findNodeByHost } from '../store/nodes.ts';
import { lockProject } from '../store/quota-sets.ts';
import type { ComputeTables } from '../store/tables.ts';

type Deps = Pick<ComputeDeps, 'db' | 'clock'>;
type Reader = Kysely<ComputeTables>;
type Metadata = Record<string, string>;

export interface Aggregate {
  row: AggregateRow;
  hosts: string[];
}

export const metadataOfAggregate = (row: AggregateRow): Metadata => JSON.parse(row.metadata_json) as Metadata;
export const zoneOfAggregate = (row: AggregateRow): string | null => metadataOfAggregate(row)['availability_zone'] ?? null;

const missing = (id: number): Fault => notFound('compute.aggregate-not-found', `Aggregate ${id} could not be found.`);

export async function allAggregates(deps: Pick<ComputeDeps, 'db'>): Promise<Aggregate[]> {
  const db = as<ComputeTables>(deps.db).read;
  const rows = await listAggregates(db);
  const hosts = await hostsOfAggregates(db, rows.map(({ id }) => id));
  return rows.map((row) => ({ row, hosts: hosts.get(row.id) ?? [] }));
}

/** @throws Fault 404 */
export async function getAggregate(deps: Pick<ComputeDeps, 'db'>, id: number): Promise<Aggregate> {
  const db = as<ComputeTables>(deps.db).read;
  const row = await findAggregate(db, id);
  if (row === undefined) throw missing(id);
  return await withHosts(db, row);
}

async function withHosts(db: Reader, row: AggregateRow): Promise<Aggregate> {
  return { row, hosts: (await hostsOfAggregates(db, [row.id])).get(row.id) ?? [] };
}

/** @throws Fault 409 */
export async function createAggregate(deps: Deps, name: string, zone: string | null): Promise<AggregateRow> {
  const row = {
    uuid: uuid(), name, metadata_json: JSON.stringify(zone === null ? {} : { availability_zone: zone }), created_at: isoMicros(deps.clock.now()), updated_at: null,
  };
  return await named(name, () => change(deps, (tx) => insertAggregate(tx, row)));
}

/** The zones of hosts follow from all aggregates, so all changes of aggregates follow each other. */
async function change<T>(deps: Pick<ComputeDeps, 'db'>, work: (tx: Reader) => Promise<T>): Promise<T> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await lockProject(tx, 'aggregates/');
    return await work(tx);
  });
}

async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict('compute.aggregate-exists', `Aggregate ${name} already exists.`);
    throw error;
  }
}

async function changeOne(deps: Deps, id: number, work: (tx: Reader, found: Aggregate) => Promise<void>): Promise<Aggregate> {
  const now = isoMicros(deps.clock.now());
  return await change(deps, async (tx) => {
    const row = await lockAggregate(tx, id, now);
    if (row === undefined) throw missing(id);
    await work(tx, await withHosts(tx, row));
    return await withHosts(tx, (await findAggregate(tx, id))!);
  });
}

/** @param asked.zone undefined: as it is. Faults: 404, 409 name taken, 400 when the zone may not change. */
export async function renameAggregate(deps: Deps, id: number, asked: { name: string | undefined; zone: string | null | undefined }): Promise<Aggregate> {
  const update = (tx: Reader, found: Aggregate): Promise<void> => applyUpdate(tx, found, asked);
  return await named(asked.name ?? '', () => changeOne(deps, id, update));
}

async function applyUpdate(tx: Reader, found: Aggregate, asked: { name: string | undefined; zone: string | null | undefined }): Promise<void> {
  const { row } = found;
  if (asked.zone !== undefined) await checkZone(tx, found, asked.zone, 'Cannot update aggregate');
  const metadata = asked.zone === undefined ? {} : { metadata_json: JSON.stringify({ ...metadataOfAggregate(row), availability_zone: asked.zone }) };
  await updateAggregate(tx, row.id, { ...metadata, ...(asked.name === undefined ? {} : { name: asked.name }) });
}

/** Hosts are in one zone, and servers never change theirs. @throws Fault 400 */
async function checkZone(tx: Reader, found: Aggregate, zone: string | null, what: string): Promise<void> {
  const { row, hosts } = found;
  const refuse = (reason: string): Fault => badRequest('compute.aggregate-refused', `${what} ${row.id}. Reason: ${reason}.`);
  if (zone === null || zone === '') throw refuse(`Aggregate ${row.name} does not support empty named availability zone`);
  const others = await otherZones(tx, found, hosts, zone);
  if (others.length > 0) throw refuse(`One or more hosts already in availability zone(s) ${others.join(', ')}`);
  if (zoneOfAggregate(row) !== zone && (await countServersOnHosts(tx, hosts)) > 0) throw refuse('One or more hosts contain instances in this zone');
}

async function otherZones(tx: Reader, { row }: Aggregate, hosts: readonly string[], zone: string): Promise<string[]> {
  const zones = (await aggregatesOfHosts(tx, hosts)).filter(({ id }) => id !== row.id).map(zoneOfAggregate);
  return [...new Set(zones.filter((other) => other !== null && other !== zone))] as string[];
}

/** Sets keys, and removes those that are null. Faults: 404, 400 when the zone may not change. */
export async function setAggregateMetadata(deps: Deps, id: number, given: Readonly<Record<string, string | null>>): Promise<Aggregate> {
  return await changeOne(deps, id, async (tx, found) => {
    if (Object.hasOwn(given, 'availability_zone')) await checkZone(tx, found, given['availability_zone']!, 'Cannot update metadata of aggregate');
    const merged = Object.entries({ ...metadataOfAggregate(found.row), ...given }).filter(([, value]) => value !== null);
    await updateAggregate(tx, id, { metadata_json: JSON.stringify(Object.fromEntries(merged)) });
  });
}

/** Faults: 404, 400 while it has hosts. */
export async function removeAggregate(deps: Deps, id: number): Promise<void> {
  await change(deps, async (tx) => {
    const row = await findAggregate(tx, id);
    if (row === undefined) throw missing(id);
    const { hosts } = await withHosts(tx, row);
    if (hosts.length > 0) throw badRequest('compute.aggregate-refused', `Cannot remove host from aggregate ${id}. Reason: Host aggregate is not empty.`);
    await deleteAggregate(tx, id);
  });
}

/** Faults: 404 aggregate or host, 409 when it is there or its servers would change their zone. */
export async function addHost(deps: Deps, id: number, host: string): Promise<Aggregate> {
  return await changeOne(deps, id, async (tx, found) => {
    if ((await findNodeByHost(tx, host)) === undefined) throw notFound('compute.host-not-found', `Compute host ${host} could not be found.`);
    if (found.hosts.includes(host)) throw conflict('compute.aggregate-host-exists', `Aggregate ${id} already has host ${host}.`);
    const zone = zoneOfAggregate(found.row);
    if (zone !== null) await checkArrival(tx, found, host, zone);
    await insertAggregateHost(tx, id, host);
  });
}

async function checkArrival(tx: Reader, found: Aggregate, host: string, zone: string): Promise<void> {
  const refuse = (reason: string): Fault => conflict('compute.aggregate-refused', `Cannot add host to aggregate ${found.row.id}. Reason: ${reason}.`);
  const others = await otherZones(tx, found, [host], zone);
  if (others.length > 0) throw refuse(`One or more hosts already in availability zone(s) ${others.join(', ')}`);
  if (!(await isInZone(tx, found, host, zone)) && (await countServersOnHosts(tx, [host])) > 0) throw refuse(moved(host, zone));
}

const moved = (host: string, zone: string): string => `The servers on ${host} would come into or leave the availability zone ${zone}; move them away first`;

/** Whether another aggregate puts the host into this zone. */
async function isInZone(tx: Reader, { row }: Aggregate, host: string, zone: string): Promise<boolean> {
  return (await aggregatesOfHosts(tx, [host])).some((other) => other.id !== row.id && zoneOfAggregate(other) === zone);
}

/** Faults: 404 aggregate or host in it, 409 when its servers would change their zone. */
export async function removeHost(deps: Deps, id: number, host: string): Promise<Aggregate> {
  return await changeOne(deps, id, async (tx, found) => {
    if (!found.hosts.includes(host)) throw notFound('compute.aggregate-host-not-found', `Cannot remove host ${host} in aggregate ${id}`);
    const zone = zoneOfAggregate(found.row);
    const leaves = zone !== null && !(await isInZone(tx, found, host, zone));
    if (leaves && (await countServersOnHosts(tx, [host])) > 0) {
      throw conflict('compute.aggregate-refused', `Cannot remove host from aggregate ${id}. Reason: ${moved(host, zone)}.`);
    }
    await deleteAggregateHost(tx, id, host);
  });
}

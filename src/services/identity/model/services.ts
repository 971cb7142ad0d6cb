/** Regions, services and endpoints: what the catalog is made of. */
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { noSuch, notAllowed, taken } from '../faults.ts';
import { deleteLimitsOfRegion } from '../store/limits.ts';
import {
  childRegions, deleteEndpoint as removeEndpoint, deleteRegion as removeRegion, deleteService as removeService, findEndpoint, findRegion, findService,
  insertEndpoint, insertRegion, insertService, regionHasEndpoints, updateEndpoint as writeEndpoint, updateRegion as writeRegion, updateService as writeService,
} from '../store/services.ts';
import type { EndpointRow, RegionRow, ServiceRow } from '../store/tables.ts';
import { isUrlTemplate } from './catalog.ts';
import { extraOf, type Fields } from './fields.ts';
import { change, type Identity, type Tx } from './identity.ts';

export interface RegionInput extends Fields { id?: string; parent_region_id?: string | null; description?: string | null }
const REGION_KNOWN = ['id', 'parent_region_id', 'description', 'links', 'parent_id'];

export async function createRegion(identity: Identity, input: RegionInput): Promise<RegionRow> {
  const id = input.id === undefined || input.id === '' ? hexId() : input.id;
  const row: RegionRow = { id, parent_region_id: input.parent_region_id ?? null, description: input.description ?? '', extra: extraOf(input, REGION_KNOWN) };
  return await change(identity, async (tx) => {
    if (row.parent_region_id !== null) await assertRegion(tx, row.parent_region_id);
    try {
      await insertRegion(tx, row);
    } catch (error) {
      if (isUniqueViolation(error)) throw taken('region', `Duplicate ID, ${row.id}.`);
      throw error;
    }
    return row;
  });
}

async function assertRegion(tx: Tx, id: string): Promise<RegionRow> {
  const row = await findRegion(tx, id);
  if (row === undefined) throw noSuch('region', id);
  return row;
}

export async function updateRegion(identity: Identity, id: string, input: RegionInput): Promise<RegionRow> {
  return await change(identity, async (tx) => {
    const row = await assertRegion(tx, id);
    if (input.id !== undefined && input.id !== id) throw badRequest('identity.id-fixed', 'Cannot change region ID');
    const values: Partial<RegionRow> = { extra: extraOf(input, REGION_KNOWN, row.extra) };
    if (input.description !== undefined) values.description = input.description ?? '';
    if (input.parent_region_id !== undefined) {
      values.parent_region_id = input.parent_region_id;
      await assertNoCircle(tx, id, input.parent_region_id);
    }
    await writeRegion(tx, id, values);
    return { ...row, ...values };
  });
}

async function assertNoCircle(tx: Tx, id: string, parent: string | null): Promise<void> {
  for (let at = parent; at !== null; at = (await assertRegion(tx, at)).parent_region_id) {
    if (at === id) throw badRequest('identity.region-circle', `The specified parent region ${parent} would create a circular region hierarchy.`);
  }
}

/** A region goes with all below it, unless one of them has endpoints. */
export async function deleteRegion(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    await assertRegion(tx, id);
    const all = [id];
    for (const region of all) all.push(...(await childRegions(tx, region)).map((row) => row.id));
    for (const region of all) {
      if (await regionHasEndpoints(tx, region)) throw notAllowed('region-in-use', `Unable to delete region ${id} because it or its child regions have associated endpoints.`);
    }
    for (const region of all) {
      await deleteLimitsOfRegion(tx, region);
      await removeRegion(tx, region);
    }
    touch('catalog');
  });
}

export interface ServiceInput extends Fields { type?: string; name?: string | null; description?: string | null; enabled?: boolean }
const SERVICE_KNOWN = ['id', 'type', 'name', 'description', 'enabled', 'links'];

export async function createService(identity: Identity, input: ServiceInput & { type: string }): Promise<ServiceRow> {
  const row: ServiceRow = {
    id: hexId(), type: input.type, name: input.name ?? null, description: input.description ?? null, enabled: input.enabled === false ? 0 : 1, extra: extraOf(input, SERVICE_KNOWN),
  };
  await change(identity, async (tx) => await insertService(tx, row));
  return row;
}

export async function updateService(identity: Identity, id: string, input: ServiceInput): Promise<ServiceRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findService(tx, id);
    if (row === undefined) throw noSuch('service', id);
    const values: Partial<ServiceRow> = { extra: extraOf(input, SERVICE_KNOWN, row.extra) };
    if (input.type !== undefined) values.type = input.type;
    if (input.name !== undefined) values.name = input.name;
    if (input.description !== undefined) values.description = input.description;
    if (input.enabled !== undefined) values.enabled = input.enabled ? 1 : 0;
    await writeService(tx, id, values);
    touch('catalog');
    return { ...row, ...values };
  });
}

export async function deleteService(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findService(tx, id)) === undefined) throw noSuch('service', id);
    await removeService(tx, id);
    touch('catalog');
  });
}

export interface EndpointInput extends Fields {
  service_id?: string;
  interface?: EndpointRow['interface'];
  url?: string;
  region_id?: string | null;
  /** The older name of `region_id`: makes the region be there. */
  region?: string | null;
  enabled?: boolean;
}
const ENDPOINT_KNOWN = ['id', 'service_id', 'interface', 'url', 'region_id', 'region', 'enabled', 'links', 'legacy_endpoint_id'];

export async function createEndpoint(identity: Identity, input: EndpointInput & Required<Pick<EndpointInput, 'service_id' | 'interface' | 'url'>>): Promise<EndpointRow> {
  return await change(identity, async (tx, touch) => {
    await checkEndpoint(tx, input);
    const row: EndpointRow = {
      id: hexId(), service_id: input.service_id, interface: input.interface, url: input.url, region_id: await regionOf(tx, input) ?? null,
      enabled: input.enabled === false ? 0 : 1, extra: extraOf(input, ENDPOINT_KNOWN),
    };
    await insertEndpoint(tx, row);
    touch('catalog');
    return row;
  });
}

export async function updateEndpoint(identity: Identity, id: string, input: EndpointInput): Promise<EndpointRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findEndpoint(tx, id);
    if (row === undefined) throw noSuch('endpoint', id);
    await checkEndpoint(tx, input);
    const values: Partial<EndpointRow> = { extra: extraOf(input, ENDPOINT_KNOWN, row.extra) };
    const region_id = await regionOf(tx, input);
    if (region_id !== undefined) values.region_id = region_id;
    if (input.service_id !== undefined) values.service_id = input.service_id;
    if (input.interface !== undefined) values.interface = input.interface;
    if (input.url !== undefined) values.url = input.url;
    if (input.enabled !== undefined) values.enabled = input.enabled ? 1 : 0;
    await writeEndpoint(tx, id, values);
    touch('catalog');
    return { ...row, ...values };
  });
}

async function checkEndpoint(tx: Tx, input: EndpointInput): Promise<void> {
  if (input.service_id !== undefined && (await findService(tx, input.service_id)) === undefined) {
    throw badRequest('identity.service-not-found', `Could not find service: ${input.service_id}.`);
  }
  if (input.url !== undefined && !isUrlTemplate(input.url)) throw badRequest('identity.url-invalid', `Cannot create an endpoint with an invalid URL: ${input.url}.`);
}

/** Undefined: the input does not speak of it. */
async function regionOf(tx: Tx, input: EndpointInput): Promise<string | null | undefined> {
  if (input.region_id !== undefined) {
    if (input.region_id !== null && (await findRegion(tx, input.region_id)) === undefined) {
      throw badRequest('identity.region-not-found', `Could not find region: ${input.region_id}.`);
    }
    return input.region_id;
  }
  if (typeof input.region !== 'string') return input.region;
  if ((await findRegion(tx, input.region)) === undefined) await insertRegion(tx, { id: input.region, parent_region_id: null, description: '', extra: '{}' });
  return input.region;
}

export async function deleteEndpoint(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findEndpoint(tx, id)) === undefined) throw noSuch('endpoint', id);
    await removeEndpoint(tx, id);
    touch('catalog');
  });
}

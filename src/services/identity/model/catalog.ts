/** The catalog of a token: which services there are, and where, seen from the caller. */
import type { Kysely } from 'kysely';
import { anyAssociation } from '../store/endpoint-filters.ts';
import { readCatalog, type CatalogRow } from '../store/catalog.ts';
import { enabledServiceProviders } from '../store/federation.ts';
import type { Tables } from '../store/tables.ts';

export interface CatalogService {
  id: string;
  type: string;
  name: string;
  endpoints: { id: string; interface: string; region: string | null; region_id: string | null; url: string }[];
}

interface CatalogRows {
  rows: CatalogRow[];
  /** Some projects see only some endpoints. */
  filtered: boolean;
  /** Other clouds that trust this one. */
  service_providers: Awaited<ReturnType<typeof enabledServiceProviders>>;
}

/** The rows behind all catalogs, read once until they change. */
export class CatalogCache {
  #rows: Promise<CatalogRows> | undefined;

  forget(): void {
    this.#rows = undefined;
  }

  async read(db: Kysely<Tables>): Promise<CatalogRows> {
    const reading = (this.#rows ??= readRows(db));
    try {
      return await reading;
    } catch (error) {
      if (this.#rows === reading) this.#rows = undefined;
      throw error;
    }
  }
}

const MOST_PROVIDERS = 1000;

async function readRows(db: Kysely<Tables>): Promise<CatalogRows> {
  return { rows: await readCatalog(db), filtered: await anyAssociation(db), service_providers: await enabledServiceProviders(db, MOST_PROVIDERS) };
}

export interface CatalogFor {
  /** `http://host:5000` as the caller knows it. */
  origin: string;
  user_id: string;
  project_id: string | undefined;
}

/** @returns what keystone puts into a token: services by type, without endpoints whose URL needs a project that isn't there. */
export function renderCatalog(rows: readonly CatalogRow[], caller: CatalogFor): CatalogService[] {
  const services = new Map<string, CatalogService>();
  for (const row of rows) {
    let service = services.get(row.service_id);
    if (service === undefined) {
      service = { endpoints: [], id: row.service_id, type: row.type, name: row.name ?? '' };
      services.set(row.service_id, service);
    }
    const url = expandUrl(row.url, caller);
    if (url !== undefined) service.endpoints.push({ id: row.id, interface: row.interface, region_id: row.region_id, url, region: row.region_id });
  }
  return [...services.values()];
}

const KEYS = new Set(['public_url', 'project_id', 'tenant_id', 'user_id']);
const PLACEHOLDER = /[$%]\(([^)]*)\)s/g;

/** `$(name)s` and `%(name)s` filled in; undefined when a value isn't there. */
export function expandUrl(url: string, caller: CatalogFor): string | undefined {
  if (!url.includes('(')) return url;
  const values: Record<string, string | undefined> = {
    public_url: caller.origin, project_id: caller.project_id, tenant_id: caller.project_id, user_id: caller.user_id,
  };
  let complete = true;
  const text = url.replaceAll(PLACEHOLDER, (_whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    complete &&= value !== undefined;
    return value ?? '';
  });
  return complete ? text : undefined;
}

/** Whether every placeholder of a URL is one that can be filled in, and nothing is left half open. */
export function isUrlTemplate(url: string): boolean {
  const names = [...url.matchAll(PLACEHOLDER)].map((match) => match[1] as string);
  return names.every((name) => KEYS.has(name)) && !/[$%]\(/.test(url.replaceAll(PLACEHOLDER, ''));
}

/** The first rows of a cloud: what every OpenStack client and service counts on. */
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { hexId } from '../../../kernel/ids.ts';
import { insertAssignment } from '../store/grants.ts';
import { findProject, findProjectByName, insertProject } from '../store/projects.ts';
import { findRoleByName, insertInference, insertRole } from '../store/roles.ts';
import { endpointsOfService, findRegion, findServiceByType, insertEndpoint, insertRegion, insertService, updateEndpoint } from '../store/services.ts';
import type { ProjectRow } from '../store/tables.ts';
import { findUserByName, insertUser, NEW_USER, updateUser } from '../store/users.ts';
import { change, type Identity, type Tx } from './identity.ts';
import { hashSecret } from './passwords.ts';

export interface BootstrapService {
  /** As in the catalog: `block-storage`. */
  type: string;
  name: string;
  /** After host and port: `/compute/v2.1`; may hold `$(project_id)s`. */
  path: string;
}

export interface BootstrapOptions {
  admin_password: string;
  /** Give an admin who is there already this password, and enable them: for whoever is locked out. */
  reset_password?: boolean;
  region: string;
  services: readonly BootstrapService[];
}

const DEFAULT_DOMAIN = 'default';

/** Makes domain, projects, roles, admin and catalog be there. Done again it heals them, and leaves the admin's password alone. */
export async function bootstrap(identity: Identity, options: BootstrapOptions): Promise<void> {
  try {
    await ensureAll(identity, options);
  } catch (error) {
    // Another controller, starting at the same time, was faster: what it made is there now.
    if (!isUniqueViolation(error)) throw error;
    await ensureAll(identity, options);
  }
}

async function ensureAll(identity: Identity, options: BootstrapOptions): Promise<void> {
  const before = await findUserByName(identity.db.read, DEFAULT_DOMAIN, 'admin');
  const sets = before === undefined || options.reset_password === true;
  const password_hash = sets ? await hashSecret(options.admin_password, identity.config.password_cost) : undefined;
  await change(identity, async (tx, touch) => {
    await ensureProject(tx, { id: DEFAULT_DOMAIN, name: 'Default', domain_id: '', parent_id: null, is_domain: 1, description: 'The default domain' });
    const under = { domain_id: DEFAULT_DOMAIN, parent_id: DEFAULT_DOMAIN, is_domain: 0 };
    const admin = await ensureProject(tx, { ...under, id: hexId(), name: 'admin', description: 'Of the administrators' });
    await ensureProject(tx, { ...under, id: hexId(), name: 'service', description: 'Of the services' });
    const role_id = await ensureRoles(tx);
    const user_id = await ensureAdmin(tx, password_hash);
    const grant = { actor_type: 'user', actor_id: user_id, role_id, inherited: 0 } as const;
    await insertAssignment(tx, { ...grant, target_type: 'project', target_id: admin });
    await insertAssignment(tx, { ...grant, target_type: 'system', target_id: 'system' });
    await ensureCatalog(tx, options);
    touch('everybody');
    touch('catalog');
  });
}

async function ensureProject(tx: Tx, wanted: Omit<ProjectRow, 'enabled' | 'options' | 'extra'>): Promise<string> {
  const found = wanted.is_domain === 1 ? await findProject(tx, wanted.id) : await findProjectByName(tx, wanted.domain_id, wanted.name);
  if (found !== undefined) return found.id;
  await insertProject(tx, { ...wanted, enabled: 1, options: '{}', extra: '{}' });
  return wanted.id;
}

const ROLES = ['admin', 'manager', 'member', 'reader'] as const;

/** admin implies manager implies member implies reader; @returns the id of admin. */
async function ensureRoles(tx: Tx): Promise<string> {
  const ids: string[] = [];
  for (const name of [...ROLES, 'service']) {
    const found = await findRoleByName(tx, '', name);
    const id = found?.id ?? hexId();
    if (found === undefined) await insertRole(tx, { id, name, domain_id: '', description: null, options: '{"immutable":true}', extra: '{}' });
    ids.push(id);
  }
  for (let at = 0; at + 1 < ROLES.length; at += 1) {
    await insertInference(tx, { prior_role_id: ids[at] as string, implied_role_id: ids[at + 1] as string });
  }
  return ids[0] as string;
}

async function ensureAdmin(tx: Tx, password_hash: string | undefined): Promise<string> {
  const found = await findUserByName(tx, DEFAULT_DOMAIN, 'admin');
  if (found !== undefined) {
    if (password_hash !== undefined) await updateUser(tx, found.id, { enabled: 1, password_hash, password_expires_at: null, failed_logins: 0, failed_login_at: null, last_active_on: null, created_at: null });
    return found.id;
  }
  const id = hexId();
  await insertUser(tx, { ...NEW_USER, id, name: 'admin', domain_id: DEFAULT_DOMAIN, password_hash: password_hash ?? null });
  return id;
}

async function ensureCatalog(tx: Tx, options: BootstrapOptions): Promise<void> {
  if ((await findRegion(tx, options.region)) === undefined) {
    await insertRegion(tx, { id: options.region, parent_region_id: null, description: '', extra: '{}' });
  }
  for (const service of options.services) {
    const found = await findServiceByType(tx, service.type);
    const service_id = found?.id ?? hexId();
    if (found === undefined) {
      await insertService(tx, { id: service_id, type: service.type, name: service.name, description: null, enabled: 1, extra: '{}' });
    }
    await ensureEndpoints(tx, service_id, options.region, `$(public_url)s${service.path}`);
  }
}

async function ensureEndpoints(tx: Tx, service_id: string, region_id: string, url: string): Promise<void> {
  const there = await endpointsOfService(tx, service_id);
  for (const kind of ['public', 'internal', 'admin'] as const) {
    const own = there.find((endpoint) => endpoint.interface === kind && endpoint.region_id === region_id);
    // What an operator changed to an address of their own stays.
    if (own !== undefined && own.url !== url && own.url.startsWith('$(public_url)s')) await updateEndpoint(tx, own.id, { url });
    if (own === undefined) await insertEndpoint(tx, { id: hexId(), service_id, interface: kind, region_id, url, enabled: 1, extra: '{}' });
  }
}

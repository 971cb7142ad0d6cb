import type { Session } from './api.ts';
import { CliError } from './errors.ts';
import { until } from './process/parts.ts';

/** The first server, directly on network `public`. */
export interface HelloPlan {
  admin: Session;
  image_id: string;
  network_id: string;
  security_group_id: string;
  /** False once a first one was made: what the user deleted stays deleted. */
  may_create: boolean;
}

interface Server {
  id: string;
  name: string;
  status: string;
  addresses: Record<string, { addr: string; version: number }[]>;
  fault?: { message: string };
  'OS-EXT-STS:task_state'?: string | null;
  'OS-SRV-USG:launched_at'?: string | null;
}

const BOOT_MS = 120_000;

/** Boots `hello`, or starts it again. @returns its URL once it answers there, or undefined when the user has deleted it. */
export async function ensureHello(plan: HelloPlan): Promise<string | undefined> {
  const { admin } = plan;
  let server = await findHello(admin);
  if (server?.status === 'ERROR' && !server['OS-SRV-USG:launched_at']) {
    await removeServer(admin, server.id);
    server = undefined;
  }
  if (server === undefined) {
    if (!plan.may_create) return undefined;
    server = await createHello(plan);
  } else if (server['OS-EXT-STS:task_state']) await settle(admin, server.id);
  else if (server.status === 'SHUTOFF') await admin.call('compute', 'POST', `/servers/${server.id}/action`, { 'os-start': null });
  else if (server.status === 'ERROR') await admin.call('compute', 'POST', `/servers/${server.id}/action`, { reboot: { type: 'HARD' } });
  else if (server.status !== 'ACTIVE' && server.status !== 'BUILD') return undefined;

  return await reach(plan, server.id, true);
}

/** @param heal whether one that does not answer is rebooted, which makes its container anew when that is gone. */
async function reach(plan: HelloPlan, id: string, heal: boolean): Promise<string> {
  const { admin } = plan;
  const active = await waitActive(admin, id);
  const address = Object.values(active.addresses).flat().find((one) => one.version === 4)?.addr;
  if (address === undefined) throw trouble(active, 'is ACTIVE but has no address');
  const url = `http://${address}/`;
  if (await until(() => answers(url), 20_000, 50)) return url;
  if (!heal) throw trouble(active, `is ACTIVE but does not answer at ${url}`);
  await admin.call('compute', 'POST', `/servers/${active.id}/action`, { reboot: { type: 'HARD' } });
  await settle(admin, active.id);
  return await reach(plan, active.id, false);
}

async function findHello(admin: Session): Promise<Server | undefined> {
  const { servers } = (await admin.call('compute', 'GET', '/servers/detail?name=%5Ehello%24')) as { servers: Server[] };
  return servers.find((server) => server.name === 'hello');
}

async function createHello(plan: HelloPlan): Promise<Server> {
  const { flavors } = (await plan.admin.call('compute', 'GET', '/flavors')) as { flavors: { id: string; name: string }[] };
  const flavor = flavors.find((one) => one.name === 'c1.micro');
  if (flavor === undefined) throw new CliError('GY-UP-HELLO', 'flavor c1.micro is missing', { next: './gantry status' });
  const body = {
    name: 'hello', imageRef: plan.image_id, flavorRef: flavor.id, networks: [{ uuid: plan.network_id }], security_groups: [{ name: 'web' }],
  };
  const { server } = (await plan.admin.call('compute', 'POST', '/servers', { server: body })) as { server: { id: string } };
  return { id: server.id, name: 'hello', status: 'BUILD', addresses: {} };
}

async function waitActive(admin: Session, id: string): Promise<Server> {
  let server: Server | undefined;
  const settled = await until(async () => {
    server = ((await admin.call('compute', 'GET', `/servers/${id}`)) as { server: Server }).server;
    return server.status === 'ACTIVE' || server.status === 'ERROR';
  }, BOOT_MS, 100);
  if (server!.status === 'ERROR') throw trouble(server!, `did not boot: ${server!.fault?.message ?? 'no fault was recorded'}`);
  if (!settled) throw trouble(server!, `is still ${server!.status} after ${BOOT_MS / 1000} s`);
  return server!;
}

/** Whoever asked before, e.g. for a start, has it done first. */
async function settle(admin: Session, id: string): Promise<void> {
  await until(async () => !((await admin.call('compute', 'GET', `/servers/${id}`)) as { server: Server }).server['OS-EXT-STS:task_state'], BOOT_MS, 100);
}

async function removeServer(admin: Session, id: string): Promise<void> {
  await admin.call('compute', 'DELETE', `/servers/${id}`);
  await until(async () => (await findHello(admin))?.id !== id, 30_000, 100);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function trouble(server: Server, what: string): CliError {
  return new CliError('GY-UP-HELLO', `server hello (${server.id}) ${what}`, { next: './gantry logs agent' });
}

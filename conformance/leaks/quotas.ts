/** What the quota calls say is in use against what the rows hold. */
import { login, type Session } from '../../src/cli/api.ts';
import { credentialsOf } from '../../src/cli/secrets.ts';
import type { Settings } from '../../src/cli/settings.ts';
import type { Leak } from '../leaks.ts';
import type { RowView } from './rows.ts';

/** Nothing is compared when no controller answers: usage is what it says. */
export async function compareQuotas(settings: Settings, rows: RowView): Promise<Leak[]> {
  let admin: Session;
  try {
    admin = await login(credentialsOf(settings, 'admin'));
  } catch (error) {
    if ((error as { status?: number }).status === 0) return [];
    throw error;
  }
  const servers = Map.groupBy(rows.servers.values(), (server) => server.project_id);
  const ports = Map.groupBy(rows.ports.values(), (port) => port.project_id);
  const { projects } = (await admin.call('identity', 'GET', '/projects')) as { projects: { id: string }[] };
  const found: Leak[] = [];
  for (const { id } of projects) {
    const mine = servers.get(id) ?? [];
    const held = { instances: mine.length, cores: sum(mine.map((one) => one.vcpus)), ram: sum(mine.map((one) => one.ram_mb)) };
    const { quota_set } = await admin.call('compute', 'GET', `/os-quota-sets/${id}/detail`);
    for (const [name, amount] of Object.entries(held)) found.push(...differing(id, name, quota_set[name].in_use, amount));
    const { quota } = await admin.call('network', 'GET', `/quotas/${id}/details.json`);
    found.push(...differing(id, 'ports', quota.port.used, (ports.get(id) ?? []).length));
  }
  return found;
}

function differing(project_id: string, name: string, used: number, held: number): Leak[] {
  return used === held ? [] : [{ side: 'rows', kind: 'quota', id: project_id, detail: `${name}: ${used} in use, the rows hold ${held}` }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

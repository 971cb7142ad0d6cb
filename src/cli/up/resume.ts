import type { Session } from '../api.ts';
import { until } from '../process/parts.ts';
import { forgetRunning, runningBefore } from './world-state.ts';

/** Starts the servers that ran when `down` stopped the engine under them. */
export async function resumeServers(admin: Session, data_dir: string): Promise<void> {
  const ids = runningBefore(data_dir);
  for (const id of ids) await resume(admin, id);
  forgetRunning(data_dir);
}

async function resume(admin: Session, id: string): Promise<void> {
  // The controller has to see first that the guest is down: until then it says ACTIVE and refuses a start.
  const status = async (): Promise<string> => {
    try {
      return ((await admin.call('compute', 'GET', `/servers/${id}`)) as { server: { status: string } }).server.status;
    } catch (error) {
      if ((error as { status?: number }).status === 404) return 'DELETED';
      throw error;
    }
  };
  let seen = '';
  await until(async () => (seen = await status()) === 'SHUTOFF' || seen === 'DELETED' || seen === 'ERROR', 15_000, 200);
  if (seen === 'SHUTOFF') await admin.call('compute', 'POST', `/servers/${id}/action`, { 'os-start': null });
}

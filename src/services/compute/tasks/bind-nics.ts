import type { PlannedNic, ServerNic } from '../../network/client.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';
import type { Place } from './place-server.ts';
import type { TaskDeps } from './task-deps.ts';

/** The server's ports, made if there are none yet, belong to a node from now on. */
export async function bindNics(deps: TaskDeps, { id: server_id, project_id, hostname }: ServerRow, boot: ServerBootRow, place: Place): Promise<ServerNic[]> {
  const nics = JSON.parse(boot.nics_json) as PlannedNic[];
  const security_group_ids = JSON.parse(boot.security_group_ids_json) as string[];
  return await deps.network.claimNics({ server_id, project_id, hostname, ...place, nics, security_group_ids });
}

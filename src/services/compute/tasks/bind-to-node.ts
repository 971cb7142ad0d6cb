import type { PlannedNic, ServerNic } from '../../network/client.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';
import { moveVolumes } from './guest-volumes.ts';
import type { Place } from './place-server.ts';
import type { TaskDeps } from './task-deps.ts';

/** The server's ports, made if there are none yet, belong to a node from now on; so do its volumes. */
export async function bindToNode(deps: TaskDeps, { id: server_id, project_id, hostname }: ServerRow, boot: ServerBootRow, place: Place): Promise<ServerNic[]> {
  const nics = JSON.parse(boot.nics_json) as PlannedNic[];
  const security_group_ids = JSON.parse(boot.security_group_ids_json) as string[];
  await moveVolumes(deps, server_id, place);
  return await deps.network.claimNics({ server_id, project_id, hostname, ...place, nics, security_group_ids });
}

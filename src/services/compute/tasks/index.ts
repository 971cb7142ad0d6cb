import type { TaskDefinition } from '../../../kernel/task/define.ts';
import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { ComputeTasks, RequestIds } from '../deps.ts';
import { bootServerTask } from './boot-server.ts';
import { deleteServerTask } from './delete-server.ts';
import { powerServerTask } from './power-server.ts';
import { deletionResource, serverResource, type TaskDeps } from './task-deps.ts';

/** The long work of compute: the kinds to register, and how the rest of the service asks for it. */
export function computeTasks(deps: TaskDeps, tasks: Tasks): { definitions: TaskDefinition[]; starter: ComputeTasks } {
  const boot = bootServerTask(deps);
  const remove = deleteServerTask(deps);
  const power = powerServerTask(deps);
  const ids = ({ request_id, global_request_id }: RequestIds): RequestIds => ({ request_id, global_request_id });
  const starter: ComputeTasks = {
    async boot(tx, server_id, action_id, asker) {
      await tasks.start(tx, boot, { resource: serverResource(server_id), input: { server_id, action_id }, ...ids(asker) });
    },
    async remove(tx, server_id, action_id, asker) {
      await tasks.cancel(tx, serverResource(server_id));
      await tasks.start(tx, remove, { resource: deletionResource(server_id), input: { server_id, action_id }, ...ids(asker) });
    },
    async power(tx, server_id, action_id, what, asker) {
      await tasks.start(tx, power, { resource: serverResource(server_id), input: { server_id, action_id, what }, ...ids(asker) });
    },
  };
  return { definitions: [boot, remove, power], starter };
}

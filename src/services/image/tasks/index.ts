import type { TaskDefinition } from '../../../kernel/task/define.ts';
import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { ImageTasks, TaskDeps } from '../deps.ts';
import { conversionResource, convertDiskTask } from './convert-disk.ts';
import { imageResource, importImageTask } from './import-image.ts';

/** The long work of images: the kinds to register, and how the rest of the service asks for it. */
export function imageTasks(deps: TaskDeps, tasks: Tasks): { definitions: TaskDefinition[]; starter: ImageTasks } {
  const convertDisk = convertDiskTask(deps);
  const convert: ImageTasks['convert'] = async (tx, image_id, { request_id, global_request_id }) => {
    await tasks.start(tx, convertDisk, { resource: conversionResource(image_id), input: { image_id }, request_id, global_request_id });
  };
  const importImage = importImageTask(deps, convert);
  const starter: ImageTasks = {
    async import(tx, input, { request_id, global_request_id }) {
      await tasks.start(tx, importImage, { resource: imageResource(input.image_id), input, request_id, global_request_id });
    },
    convert,
    async cancel(tx, image_id) {
      await tasks.cancel(tx, imageResource(image_id));
      await tasks.cancel(tx, conversionResource(image_id));
    },
  };
  return { definitions: [importImage, convertDisk], starter };
}

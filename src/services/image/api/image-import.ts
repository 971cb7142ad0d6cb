import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { ImageDeps } from '../deps.ts';
import { stageImage } from '../model/image-data.ts';
import { checkImportable, readImport, startImport } from '../model/image-import.ts';
import { imageTaskView } from '../model/image-tasks.ts';
import { getImage } from '../model/images.ts';
import { checkSource } from '../model/import-source.ts';
import { tasksOfImage } from '../store/image-tasks.ts';
import { askerOf, eyesOf, imageTarget, targetOf } from './eyes.ts';
import { incoming } from './image-data.ts';

export const imageImportEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'image-import:stage', method: 'PUT', path: '/v2/images/{image_id}/stage', summary: 'Upload the data of an image for a later import', policy: 'modify_image', status: 204,
    target: (call) => imageTarget(deps, call), body: 'stream',
    async handler(call) {
      await stageImage(deps, await getImage(deps, eyesOf(call), call.params.image_id), incoming(call));
      return undefined;
    },
  }),
  endpoint({
    id: 'image-import:import', method: 'POST', path: '/v2/images/{image_id}/import', summary: 'Import the data of an image', policy: 'get_image', status: 202,
    target: (call) => imageTarget(deps, call), body: Type.Unknown(),
    handler: (call) => importImage(deps, call),
  }),
  endpoint({
    id: 'image-import:tasks', method: 'GET', path: '/v2/images/{image_id}/tasks', summary: 'List the tasks of an image', policy: 'get_image', status: 200,
    target: (call) => imageTarget(deps, call), reply: Type.Object({ tasks: Type.Array(Type.Object({ id: Type.String(), status: Type.String(), request_id: Type.String() })) }),
    async handler(call) {
      const rows = await tasksOfImage(deps.db.read, call.params.image_id, isoMicros(deps.clock.now()));
      return { tasks: rows.map(imageTaskView) };
    },
  }),
];

async function importImage(deps: ImageDeps, call: Call<{ image_id: string }, any, unknown>) {
  const request = readImport(call.body, call.headers['x-image-meta-store'] as string | undefined);
  const row = await getImage(deps, eyesOf(call), call.params.image_id);
  call.enforce(request.method === 'copy-image' ? 'copy_image' : 'modify_image', targetOf(row, call.auth.project_id));
  await checkImportable(deps, row, request.method);
  if (request.method === 'web-download') await checkSource(request.uri, row, deps.config, deps.resolve);
  await startImport(deps, row, request, askerOf(call), call.ctx);
  return reply(undefined, { status: 202 });
}

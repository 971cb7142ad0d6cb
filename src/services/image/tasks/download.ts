/** web-download from a web server, into the staging area. */
import { badRequest } from '../../../kernel/fault.ts';
import { fetchOutbound } from '../../../kernel/http/outbound.ts';
import type { TaskDeps } from '../deps.ts';
import { outboundRules } from '../model/import-source.ts';
import { counted, type FetchOptions } from './fetch-options.ts';

/** @returns bytes. Faults: 400 refused, unreachable or cut off, 413 */
export async function download(deps: TaskDeps, image_id: string, uri: string, options: FetchOptions): Promise<number> {
  const answer = await fetchOutbound(new URL(uri), { rules: outboundRules(deps.config), resolve: deps.resolve, signal: options.signal });
  try {
    if (answer.status !== 200) throw badRequest('image.import-status', `The server answered ${answer.status} to the download of the image.`);
    const told = answer.headers['content-length'];
    if (Number(told ?? 0) > options.limit) throw badRequest('image.too-large', `Image exceeds the size limit of ${options.limit} bytes.`);
    const size = await deps.staging.receive(image_id, counted(answer.body, options.onBytes), options.limit);
    if (told !== undefined && Number(told) !== size) throw badRequest('image.import-size', `The download has ${size} bytes where the server announced ${told}.`);
    return size;
  } finally {
    answer.body.destroy();
  }
}

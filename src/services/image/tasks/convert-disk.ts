/** A disk image gets its container form: a node reads the root file system and sends it back as a layer. */
import { computeMethods, type ConvertDisk, type ConvertedDisk } from '../../../agents/compute/protocol.ts';
import type { NodeInfo } from '../../../kernel/bus/node-link.ts';
import { conflict, isFault, unavailable } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { TaskDeps } from '../deps.ts';
import { attachSystem, GIB, noteConversion } from '../model/conversions.ts';
import { findImage } from '../store/images.ts';
import type { ImageRow } from '../store/tables.ts';

export interface ConvertInput {
  image_id: string;
}

/** The lock; another than that of imports, which may go on meanwhile. */
export const conversionResource = (id: string): string => `image:${id}:convert`;

/** Of what a node lacks, another may have: the next one is asked. */
const LACKING = new Set([501, 507]);
/** What may be otherwise later; the rest is the image's own fault. */
const PASSING = new Set([501, 503, 504, 507]);
/** Beyond the node's own limit: for what is before it in the node's queue. */
const SLACK_S = 600;

export const convertDiskTask = (deps: TaskDeps): TaskDefinition =>
  defineTask<ConvertInput>('image.convert-disk')
    .step('convert', {
      // a node that restarts its agent is back within seconds
      retries: 8,
      do: (ctx, { image_id }) => convert(deps, ctx, image_id),
    })
    .build({
      concurrency: 16,
      onDone: async (_ctx, { image_id }, done) => attachSystem(deps, await needImage(deps, image_id), done.convert),
      onFailed: (_ctx, { image_id }, error) => fail(deps, image_id, error),
    }) as TaskDefinition;

async function needImage(deps: TaskDeps, id: string): Promise<ImageRow> {
  const row = await findImage(deps.db.read, id);
  if (row === undefined || row.digest === null || row.size === null) throw conflict('image.deleted-during-conversion', `Image ${id} was deleted during its conversion.`);
  return row;
}

async function convert(deps: TaskDeps, ctx: StepContext, id: string): Promise<ConvertedDisk> {
  const { digest, size, disk_format } = await needImage(deps, id);
  await noteConversion(deps, id, ['waiting', 'running'], 'running', null);
  const { max_disk_gb, max_root_gb, convert_seconds: seconds } = deps.config;
  const asked: ConvertDisk = {
    image: { id, digest: digest!, size: size!, container_format: 'bare', disk_format: disk_format ?? 'raw' },
    limits: { virtual_bytes: max_disk_gb * GIB, root_bytes: max_root_gb * GIB, seconds },
  };
  let refusal: unknown = unavailable('image.no-converter', 'No compute node is there to convert the disk image.');
  for (const node of await candidates(deps)) {
    try {
      return await deps.nodes!.call<ConvertedDisk>(node.id, computeMethods.convertDisk, { asked }, { timeout_ms: (seconds + SLACK_S) * 1000, signal: ctx.signal });
    } catch (error) {
      if (!isFault(error) || !(LACKING.has(error.status) || error.code === 'bus.no-such-method')) throw error;
      ctx.log.info({ err: error, host: node.hostname, image_id: id }, 'a node cannot convert a disk image; the next one is tried');
      refusal = error;
    }
  }
  throw refusal;
}

async function candidates(deps: TaskDeps): Promise<NodeInfo[]> {
  const nodes = (await deps.nodes?.nodes()) ?? [];
  const able = nodes.filter((node) => node.state === 'up' && !node.disabled && node.roles.includes('compute'));
  const first = Math.floor(Math.random() * able.length);
  return [...able.slice(first), ...able.slice(0, first)];
}

async function fail(deps: TaskDeps, id: string, error: TaskError): Promise<void> {
  const message = error.public ? error.message : 'The disk image could not be converted: an unexpected error.';
  await noteConversion(deps, id, ['waiting', 'running'], PASSING.has(error.status) ? 'waiting' : 'failed', message);
}

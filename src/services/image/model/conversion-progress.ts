import { computeMethods, type ConvertProgress } from '../../../agents/compute/protocol.ts';
import type { TaskDeps } from '../deps.ts';
import { noteConversion } from './conversions.ts';

const MIB = 2 ** 20;

/** Shows how far the nodes are, as they tell it. */
export function followConversions(deps: TaskDeps): void {
  deps.nodes?.onEvent((node, event, told: ConvertProgress) => {
    if (event !== computeMethods.convertProgress || typeof told?.image_id !== 'string') return;
    void noteConversion(deps, told.image_id, ['running'], 'running', textOf(told, node.hostname)).catch((error: unknown) => {
      deps.log.warn({ err: error, image_id: told.image_id }, 'the progress of a conversion could not be noted');
    });
  });
}

function textOf({ stage, percent, bytes }: ConvertProgress, host: string): string {
  if (stage === 'fetch') return `${host} fetches the disk: ${percent} %`;
  return stage === 'convert' ? `${host} unpacks the disk` : `${host} reads the root file system: ${Math.floor(bytes / MIB)} MiB`;
}

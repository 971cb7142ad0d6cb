import { Type } from 'typebox';
import { type AnyCall, reply } from '../../../../kernel/api/endpoint.ts';
import { IMAGE_PREFIX } from '../../../image/client.ts';
import type { ComputeDeps } from '../../deps.ts';
import { checkImageMetadataQuota } from '../../model/images.ts';
import { quotasOf } from '../../model/quota-sets.ts';
import { snapshotServer } from '../../model/snapshot-server.ts';
import { versions } from '../../versions.ts';
import { metadataMap, nameText, nonNegativeText } from '../parameters.ts';
import { readerOf } from '../server-target.ts';
import { type Action, closed } from './action.ts';

interface CreateImage {
  name: string;
  metadata?: Record<string, string>;
}

interface CreateBackup extends CreateImage {
  backup_type: string;
  rotation: number | string;
}

const imageId = Type.Object({ image_id: Type.String() });

export function createImageActions(deps: ComputeDeps): Action[] {
  return [
    {
      name: 'createImage',
      summary: 'Make an image of a server',
      policy: 'os_compute_api:servers:create_image',
      body: Type.Object({ createImage: Type.Object({ name: nameText, metadata: Type.Optional(metadataMap) }, closed) }, closed),
      reply: imageId,
      act: async (row, actor, call) => {
        const { name, metadata = {} } = (call.body as { createImage: CreateImage }).createImage;
        await checkQuota(deps, call, metadata);
        const id = await snapshotServer(deps, actor, call, row, { name: name.trim(), metadata });
        return replyOf(call, id, `${call.base.replace(/\/compute$/, IMAGE_PREFIX)}/images/${id}`);
      },
    },
    {
      name: 'createBackup',
      summary: 'Make an image of a server, and delete the oldest ones of that kind',
      policy: 'os_compute_api:os-create-backup',
      body: Type.Object({ createBackup: Type.Object({ name: nameText, backup_type: Type.String({ maxLength: 255 }), rotation: nonNegativeText, metadata: Type.Optional(metadataMap) }, closed) }, closed),
      reply: imageId,
      act: async (row, actor, call) => {
        const { name, metadata = {}, backup_type: type, rotation: text } = (call.body as { createBackup: CreateBackup }).createBackup;
        const rotation = Number(text);
        await checkQuota(deps, call, metadata);
        const id = await snapshotServer(deps, actor, call, row, { name: name.trim(), metadata, backup: { type, rotation } });
        return replyOf(call, id, rotation > 0 ? `${call.base}/images/${id}` : undefined);
      },
    },
  ];
}

/** The version that took the image proxy's limit away took this one, too. */
async function checkQuota(deps: ComputeDeps, call: AnyCall, metadata: Record<string, string>): Promise<void> {
  if (call.version >= versions.NO_IMAGE_METADATA) return;
  checkImageMetadataQuota((await quotasOf(readerOf(deps), deps, call.auth.project_id ?? '')).metadata_items, metadata);
}

function replyOf(call: AnyCall, image_id: string, location: string | undefined): object {
  if (call.version >= versions.IMAGE_ID_IN_BODY) return { image_id };
  return reply(undefined, { headers: location === undefined ? {} : { location } });
}

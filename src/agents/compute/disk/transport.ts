import type { AgentLink } from '../../../kernel/bus/agent-link.ts';
import type { Readable } from 'node:stream';
import type { BlobRef, ImageRef } from '../protocol.ts';
import type { DiskTransport } from './convert-disk.ts';

/** Disks and layers by the controller's paths for nodes. */
export function createDiskTransport(link: () => Pick<AgentLink, 'fetch' | 'send'>): DiskTransport {
  const path = ({ id }: ImageRef): string => `/image/agent/images/${encodeURIComponent(id)}`;
  return {
    fetch: (ref) => link().fetch(`${path(ref)}/file`),
    upload: async (ref, body) => (await link().send(`${path(ref)}/root-file-system`, body)) as { digest: string; size: number },
  };
}

/** Takes what a server has changed to the image that is made of it. */
export type SendLayer = (image_id: string, body: Readable) => Promise<BlobRef>;

export const layerSender = (link: () => Pick<AgentLink, 'send'>): SendLayer => async (image_id, body) =>
  (await link().send(`/image/agent/images/${encodeURIComponent(image_id)}/layer`, body)) as BlobRef;

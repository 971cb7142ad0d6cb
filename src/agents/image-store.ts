/** Images by the controller's own paths for nodes. */
import type { Readable } from 'node:stream';
import { isFault, unavailable } from '../kernel/fault.ts';
import type { AgentLink } from '../kernel/bus/agent-link.ts';
import type { ImageStore } from './compute/drivers/docker/images.ts';
import type { ImageManifest, ImageRef } from './compute/protocol.ts';

const MAX_MANIFEST_BYTES = 1024 * 1024;

export function imageStore(linked: () => Pick<AgentLink, 'fetch'>): ImageStore {
  const path = ({ id }: ImageRef): string => `/image/agent/images/${encodeURIComponent(id)}`;
  return {
    archive: (ref) => linked().fetch(`${path(ref)}/file`),
    layers: {
      blob: (ref, digest) => linked().fetch(`${path(ref)}/blobs/${digest}`),
      async manifest(ref) {
        try {
          return JSON.parse(await readText(await linked().fetch(`${path(ref)}/manifest`))) as ImageManifest;
        } catch (error) {
          if (isFault(error) && error.status === 404) return undefined;
          throw error;
        }
      },
    },
  };
}

async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > MAX_MANIFEST_BYTES) throw unavailable('compute.manifest-invalid', 'The manifest of an image is too large.');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

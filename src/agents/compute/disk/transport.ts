import type { AgentLink } from '../../../kernel/bus/agent-link.ts';
import type { ImageRef } from '../protocol.ts';
import type { DiskTransport } from './convert-disk.ts';

/** Disks and layers by the controller's paths for nodes. */
export function createDiskTransport(link: () => Pick<AgentLink, 'fetch' | 'send'>): DiskTransport {
  const path = ({ id }: ImageRef): string => `/image/agent/images/${encodeURIComponent(id)}`;
  return {
    fetch: (ref) => link().fetch(`${path(ref)}/file`),
    upload: async (ref, body) => (await link().send(`${path(ref)}/root-file-system`, body)) as { digest: string; size: number },
  };
}

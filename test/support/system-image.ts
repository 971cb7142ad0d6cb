/** A disk image on its way to a container image without a cloud: converted here, packed as `docker save` would. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createDiskConverter } from '../../src/agents/compute/disk/convert-disk.ts';
import type { ConvertedDisk, ImageRef } from '../../src/agents/compute/protocol.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { endOfArchive, writeEntry } from '../../src/kernel/tar.ts';
import { systemConfig, systemLayer } from '../../src/services/image/model/system-layer.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export interface SystemImage {
  archive: Buffer;
  ref: ImageRef;
  converted: ConvertedDisk;
}

/** @param directory for the converter alone. */
export async function systemImage(path: string, disk_format: string, directory: string): Promise<SystemImage> {
  const disk = readFileSync(path);
  let root = Buffer.alloc(0);
  const converter = createDiskConverter({
    directory,
    log: silentLog,
    transport: {
      fetch: async () => createReadStream(path),
      async upload(_ref, body) {
        const parts: Buffer[] = [];
        for await (const chunk of body) parts.push(chunk as Buffer);
        root = Buffer.concat(parts);
        return { digest: sha256(root), size: root.length };
      },
    },
  });
  const image = { id: randomUUID(), digest: sha256(disk), size: disk.length, container_format: 'bare', disk_format };
  const converted = await converter.convert({ image, limits: { virtual_bytes: 2 ** 34, root_bytes: 2 ** 33, seconds: 300 } }, () => {});
  await converter.close();
  const layers = [root, systemLayer(converted.facts)];
  const config = systemConfig(converted.facts, layers.map(sha256), '2026-01-01T00:00:00Z');
  const names = layers.map((layer) => `${sha256(layer)}/layer.tar`);
  const archive = Buffer.concat([
    ...layers.map((content, at) => writeEntry({ name: names[at]!, content })),
    writeEntry({ name: `${sha256(config)}.json`, content: config }),
    writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify([{ Config: `${sha256(config)}.json`, RepoTags: null, Layers: names }])) }),
    endOfArchive(),
  ]);
  return { archive, converted, ref: { id: image.id, digest: sha256(archive), size: archive.length, container_format: 'docker', disk_format: 'raw' } };
}

/** Archives as `docker save` writes them, made by hand. */
import { createHash } from 'node:crypto';

/** A tar of regular files. */
export function tar(files: Record<string, string | Uint8Array>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, content] of Object.entries(files)) {
    const data = Buffer.from(content as string);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write('0', 156);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** One layer with these files; `config` goes into the image's configuration. */
export function dockerArchive(files: Record<string, string | Uint8Array> = { hello: 'hi' }, config: object = { Cmd: ['/hello'] }): Buffer {
  return layeredArchive([tar(files)], config).archive;
}

/** @param layers tars, the lowest first. */
export function layeredArchive(layers: readonly Buffer[], config: object = { Cmd: ['/hello'] }): { archive: Buffer; config: Buffer } {
  const image = JSON.stringify({
    architecture: 'amd64', os: 'linux', config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })),
  });
  const id = sha256(image);
  const Layers = layers.map((_, at) => (at === 0 ? 'layer/layer.tar' : `layer-${at}/layer.tar`));
  const files = Object.fromEntries(layers.map((layer, at) => [Layers[at]!, layer]));
  const archive = tar({ ...files, [`${id}.json`]: image, 'manifest.json': JSON.stringify([{ Config: `${id}.json`, RepoTags: ['some/name:tag'], Layers }]) });
  return { archive, config: Buffer.from(image) };
}

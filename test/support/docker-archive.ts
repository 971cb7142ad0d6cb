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

/** One layer with these files; `config` goes into the image's configuration. */
export function dockerArchive(files: Record<string, string | Uint8Array> = { hello: 'hi' }, config: object = { Cmd: ['/hello'] }): Buffer {
  const layer = tar(files);
  const image = JSON.stringify({
    architecture: 'amd64', os: 'linux', config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
    history: [{ created: '1970-01-01T00:00:00Z' }],
  });
  const id = createHash('sha256').update(image).digest('hex');
  return tar({ 'layer/layer.tar': layer, [`${id}.json`]: image, 'manifest.json': JSON.stringify([{ Config: `${id}.json`, RepoTags: ['some/name:tag'], Layers: ['layer/layer.tar'] }]) });
}

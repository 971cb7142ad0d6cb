import { createHash } from 'node:crypto';
import { tar } from './tar.ts';

/** What the image's config says beside its one layer. */
export interface ImageConfig {
  architecture: 'amd64' | 'arm64';
  env: string[];
  command: string[];
  exposed_ports: string[];
  labels: Record<string, string>;
  created_by: string;
}

/**
 * A `docker save` archive (layout of image specification 1.2: manifest.json, config, layer.tar) of one layer.
 * It names no tag, so that loading it can never move a tag that somebody has.
 * Source: github.com/moby/docker-image-spec, v1.2.
 */
export function dockerArchive(layer: Buffer, image: ImageConfig): Buffer {
  const diffId = sha256(layer);
  const config = Buffer.from(JSON.stringify({
    architecture: image.architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      Env: image.env,
      Cmd: image.command,
      WorkingDir: '/',
      StopSignal: 'SIGTERM',
      ExposedPorts: Object.fromEntries(image.exposed_ports.map((port) => [port, {}])),
      Labels: image.labels,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: image.created_by }],
  }));
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: null, Layers: [`${diffId}/layer.tar`] }];
  return tar([
    { path: configName, type: 'file', mode: 0o644, content: config },
    { path: diffId, type: 'directory', mode: 0o755 },
    { path: `${diffId}/VERSION`, type: 'file', mode: 0o644, content: Buffer.from('1.0') },
    { path: `${diffId}/layer.tar`, type: 'file', mode: 0o644, content: layer },
    { path: 'manifest.json', type: 'file', mode: 0o644, content: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

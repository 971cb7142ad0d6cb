/** Images of the engine on this host: out of it and into it. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { EngineError, isEngineStatus } from '../../agents/compute/drivers/docker/engine-error.ts';
import { createEngine, type Engine } from '../../agents/compute/drivers/docker/engine.ts';
import { rewriteImageArchive } from '../../agents/compute/drivers/docker/image-archive.ts';
import { CliError } from '../errors.ts';
import type { Settings } from '../settings.ts';

const SILENCE_MS = 15 * 60_000;

/** Runs the work with the engine that the cloud on this host uses; its errors in words for people. */
export async function withEngine<T>(settings: Settings, work: (engine: Engine) => Promise<T>): Promise<T> {
  const socket_path = settings.config.agent.docker_socket;
  const engine = createEngine({ socket_path });
  try {
    return await work(engine);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.reason !== 'unreachable') throw new CliError('GY-ENGINE-002', `the Docker engine refuses: ${error.message}`);
    const denied = /EACCES/.test(error.message);
    throw new CliError('GY-ENGINE-001', `the Docker engine at ${socket_path} cannot be used: ${error.message}`, { next: denied ? 'run the command as root (sudo)' : './gantry doctor' });
  } finally {
    engine.close();
  }
}

/** The archive of an image as `docker save` writes it. @throws CliError when the engine has none of that name. */
export async function saveImage(engine: Engine, reference: string): Promise<Readable> {
  try {
    await engine.json('GET', `/images/${encodeURIComponent(reference)}/json`);
  } catch (error) {
    if (isEngineStatus(error, 404)) throw new CliError('GY-IMAGE-007', `the Docker engine has no image ${reference}`, { next: 'docker images' });
    throw error;
  }
  return await engine.stream('GET', `/images/${encodeURIComponent(reference)}/get`, { timeout_ms: SILENCE_MS });
}

/** What the archive says of names counts for nothing: the image gets this one. */
export async function loadImage(engine: Engine, source: Readable, tag: string, hash: { algorithm: string; value: string } | undefined): Promise<void> {
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const checked = hash === undefined ? source : verified(source, hash);
  const archive = Readable.from(rewriteImageArchive(checked, { tag, digest: undefined, size: 0, platform }), { objectMode: false });
  const reply = await engine.stream('POST', '/images/load', { query: { quiet: 1 }, stream: archive, timeout_ms: SILENCE_MS });
  for await (const message of jsonLines(reply)) {
    if (typeof message['error'] === 'string') throw new CliError('GY-ENGINE-002', `the Docker engine refuses the image: ${message['error']}`);
  }
}

async function* verified(source: AsyncIterable<Buffer>, { algorithm, value }: { algorithm: string; value: string }): AsyncGenerator<Buffer> {
  const hash = createHash(algorithm);
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== value) throw new CliError('GY-IMAGE-008', 'the image that came is not the one that the cloud has: its hash differs');
}

/** The engine's way of telling how it goes: one JSON object a line. */
export async function* jsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Record<string, unknown>> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as Record<string, unknown>;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as Record<string, unknown>;
}

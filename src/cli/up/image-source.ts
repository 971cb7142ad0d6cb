import { request } from 'node:http';
import { buildGuestImage } from '../guest-image.ts';
import { CliError } from '../errors.ts';
import { DockerError, dockerRequest } from '../docker.ts';

/** The hello image: our own, or one that the engine fetches from a registry (`docker://nginx:alpine`). */
export async function helloImage(socket: string, source: string | undefined): Promise<{ bytes: Buffer; properties: Record<string, string> }> {
  if (source === undefined) return { bytes: buildGuestImage(), properties: {} };
  const reference = registryReference(source);
  try {
    await dockerRequest(socket, 'POST', `/images/create?fromImage=${encodeURIComponent(reference)}`, 600_000);
    return { bytes: await saved(socket, reference), properties: { docker_reference: reference } };
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new CliError('GY-IMAGE-002', `${reference} could not be fetched: ${error.message}`, { next: `docker pull ${reference}` });
  }
}

/** `docker://nginx` → `nginx:latest`. @throws CliError for anything else. */
export function registryReference(source: string): string {
  const name = /^docker:\/\/([a-z0-9][\w.:/@-]*)$/.exec(source)?.[1];
  if (name === undefined) throw new CliError('GY-IMAGE-001', `--image ${source} is no registry reference`, { next: './gantry up --image docker://nginx:alpine' });
  return /[:@][^/]*$/.test(name.slice(name.lastIndexOf('/') + 1)) ? name : `${name}:latest`;
}

function saved(socket: string, reference: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method: 'GET', path: `/images/${encodeURIComponent(reference)}/get`, headers: { host: 'docker' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        if (response.statusCode === 200) resolve(bytes);
        else reject(new DockerError(response.statusCode ?? 500, bytes.toString().slice(0, 300)));
      });
    });
    call.on('error', reject);
    call.end();
  });
}

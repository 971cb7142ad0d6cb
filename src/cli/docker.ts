import { request } from 'node:http';

/** The engine answered with an error status. */
export class DockerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * One call to the Docker Engine API over its socket; the unversioned paths are those of the engine's newest version.
 * Gives the parsed JSON body, or the text when it is none. @throws DockerError, or the socket's error.
 */
export function dockerRequest(socket: string, method: string, path: string, timeout_ms = 10_000): Promise<any> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method, path, headers: { host: 'docker' }, timeout: timeout_ms }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = parse(Buffer.concat(chunks).toString());
        const status = response.statusCode ?? 500;
        if (status < 400) resolve(body);
        else reject(new DockerError(status, body?.message ?? `Docker answered ${status} to ${method} ${path}`));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`Docker did not answer ${method} ${path} within ${timeout_ms / 1000} s`)));
    call.on('error', reject);
    call.end();
  });
}

function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export async function engineAnswers(socket: string): Promise<boolean> {
  try {
    await dockerRequest(socket, 'GET', '/_ping', 3_000);
    return true;
  } catch {
    return false;
  }
}

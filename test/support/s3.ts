/** A server that speaks S3, on a port and in a folder of its own. */
import S3rver from 's3rver';
import { scratchDirectory } from './scratch.ts';

export interface S3Server {
  url: string;
  access_key: string;
  secret_key: string;
  /** Parts of large objects that were sent so far. */
  parts(): number;
  /** Cuts the connection, once, when a part of this number comes. */
  failPart(number: number): void;
  stop(): Promise<void>;
}

export async function startS3(bucket: string): Promise<S3Server> {
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: scratchDirectory('s3-server'), configureBuckets: [{ name: bucket, configs: [] }] });
  const { port } = await server.run();
  let parts = 0;
  let failing: number | undefined;
  server.httpServer.prependListener('request', (asked) => {
    const number = new URL(asked.url ?? '/', 'http://s3').searchParams.get('partNumber');
    if (number === null) return;
    parts += 1;
    if (Number(number) !== failing) return;
    failing = undefined;
    asked.socket.destroy();
  });
  return { parts: () => parts, failPart: (number) => void (failing = number), url: `http://127.0.0.1:${port}`, access_key: 'S3RVER', secret_key: 'S3RVER', stop: () => server.close() };
}

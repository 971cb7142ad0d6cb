/** A server that speaks S3, on a port and in a folder of its own. */
import S3rver from 's3rver';
import { scratchDirectory } from './scratch.ts';

export interface S3Server {
  url: string;
  access_key: string;
  secret_key: string;
  stop(): Promise<void>;
}

export async function startS3(bucket: string): Promise<S3Server> {
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: scratchDirectory('s3-server'), configureBuckets: [{ name: bucket, configs: [] }] });
  const { port } = await server.run();
  return { url: `http://127.0.0.1:${port}`, access_key: 'S3RVER', secret_key: 'S3RVER', stop: () => server.close() };
}

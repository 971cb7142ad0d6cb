/** Runs inside a network's namespace, until the agent has the two listening sockets and ends it, or is gone. */
import { createServer, type ListenOptions } from 'node:net';

const PORT = 80;

for (const options of [{ host: process.argv[2] }, { host: `${process.argv[3]}%${process.argv[4]}` }] as ListenOptions[]) {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ ...options, port: PORT }, resolve));
  await new Promise<void>((resolve, reject) => process.send!('listening', server, {}, (error) => (error === null ? resolve() : reject(error))));
}
process.once('disconnect', () => process.exit(0));

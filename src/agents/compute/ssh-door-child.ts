/** Runs for a moment in a server's network namespace: listens on the port of ssh and hands the listener to the agent. */
import { createServer } from 'node:net';

const SSH_PORT = 22;
/** Exit code: the guest listens itself. */
const IN_USE = 98;
/** The agent ends this process as soon as it has the listener. */
const WAIT_MS = 10_000;

function listen(host: string, otherwise: () => void): void {
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') process.exit(IN_USE);
    otherwise();
  });
  server.listen({ port: SSH_PORT, host }, () => {
    process.send?.('listening', server);
    // Whoever connects meanwhile is for the agent: here nothing may be accepted any more.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    process.exit(1);
  });
}

// A namespace may have no IPv6.
listen('::', () => listen('0.0.0.0', () => process.exit(1)));

import { WebSocket } from 'ws';
import { Fault, unavailable } from '../fault.ts';
import { MAX_STREAM_MESSAGE_BYTES, STREAM_PATH } from './node-streams.ts';
import { openPipe, type Pipe } from './pipe.ts';

const TIMEOUT_MS = 10_000;

/** Opens the stream that a call of the controller asked for. @throws Fault 503 `bus.controller-unavailable`, 409 when nobody waits for it. */
export function openStreamToController(origin: string, authorization: string, ca: Buffer | undefined, stream_id: string): Promise<Pipe> {
  const url = `${origin.replace(/^http/, 'ws')}${STREAM_PATH}?id=${encodeURIComponent(stream_id)}`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers: { authorization },
      maxPayload: MAX_STREAM_MESSAGE_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: TIMEOUT_MS,
      followRedirects: false,
      ...(ca !== undefined && { ca }),
    });
    socket.once('open', () => resolve(openPipe(socket)));
    socket.once('unexpected-response', (request, response) => {
      request.destroy();
      reject(new Fault(409, 'bus.stream-refused', `The controller refused a stream with ${response.statusCode}.`));
    });
    socket.on('error', (cause) => reject(unavailable('bus.controller-unavailable', 'The controller can’t be reached.', { retryable: true, cause })));
  });
}

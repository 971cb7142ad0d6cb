import { Duplex } from 'node:stream';
import type { Pipe } from './pipe.ts';

/** The bytes of a pipe as a stream; its words are passed over. Ends with the pipe. */
export function pipeDuplex(pipe: Pipe): Duplex {
  const stream = new Duplex({
    read: () => pipe.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (pipe.send(chunk)) done();
      else pipe.onDrain(done);
    },
    final(done) {
      pipe.close(1000, 'ended');
      done();
    },
    destroy(error, done) {
      pipe.close(1000, 'ended');
      done(error);
    },
  });
  pipe.onMessage((message) => {
    if (typeof message !== 'string' && !stream.push(message)) pipe.pause();
  });
  pipe.onClose(() => stream.push(null));
  return stream;
}

/** Joins a stream of bytes with a pipe until either ends. */
export function joinStream(stream: Duplex, pipe: Pipe): void {
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    if (pipe.send(chunk)) return;
    stream.pause();
    pipe.onDrain(() => stream.resume());
  });
  stream.once('close', () => pipe.close(1000, 'ended'));
  pipe.onMessage((message) => {
    if (typeof message === 'string' || stream.writableEnded || stream.write(message)) return;
    pipe.pause();
    stream.once('drain', () => pipe.resume());
  });
  pipe.onClose(() => stream.end());
}

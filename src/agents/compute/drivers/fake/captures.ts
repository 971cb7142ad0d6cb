/** What simulated guests have changed: one file that says which guest it was and when. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Clock } from '../../../../kernel/clock.ts';
import { conflict, notFound } from '../../../../kernel/fault.ts';
import { endOfArchive, writeEntry } from '../../../../kernel/tar.ts';
import type { SendLayer } from '../../disk/transport.ts';
import type { BlobRef, ComputeDriver } from '../../protocol.ts';
import { obey, type FakeGuests, type Sleep } from './guests.ts';

export interface FakeCapturesOptions {
  guests: FakeGuests;
  clock: Clock;
  sleep: Sleep;
  signal: AbortSignal;
  layers: SendLayer | undefined;
}

export function fakeCaptures({ guests, clock, sleep, signal, layers }: FakeCapturesOptions): Pick<ComputeDriver, 'capture' | 'sendCapture' | 'dropCapture'> {
  const running = new Map<string, AbortController>();
  const captured = new Map<string, Buffer>();
  const refOf = (bytes: Buffer): BlobRef => ({ digest: createHash('sha256').update(bytes).digest('hex'), size: bytes.length });
  return {
    async capture(serverId, imageId) {
      const { spec } = guests.need(serverId);
      const stop = new AbortController();
      running.set(imageId, stop);
      await obey(spec, 'capture', sleep, AbortSignal.any([signal, stop.signal])).finally(() => running.delete(imageId));
      if (stop.signal.aborted) throw conflict('compute.capture-dropped', 'Nobody wants the changes of this server any more.');
      const text = JSON.stringify({ server_id: serverId, incarnation: spec.incarnation ?? null, at: clock.now().toISOString() });
      const bytes = captured.get(imageId) ?? Buffer.concat([writeEntry({ name: 'etc/captured', content: Buffer.from(text) }), endOfArchive()]);
      captured.set(imageId, bytes);
      return refOf(bytes);
    },
    async sendCapture(imageId) {
      const bytes = captured.get(imageId);
      if (bytes === undefined) throw notFound('compute.capture-gone', `This node has noted nothing for image ${imageId}.`);
      return layers === undefined ? refOf(bytes) : await layers(imageId, Readable.from([bytes]));
    },
    async dropCapture(imageId) {
      running.get(imageId)?.abort();
      captured.delete(imageId);
    },
  };
}

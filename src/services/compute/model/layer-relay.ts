/** What a moving server has written, from the node that it leaves to the one that it goes to: a stream through this process, kept nowhere. */
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { conflict, type Fault, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';

interface Crossing {
  from: string;
  to: string;
  pipe: PassThrough;
  sending: boolean;
  receiving: boolean;
}

export interface LayerRelay {
  /** Lets one node send and one other receive, until it is closed. */
  open(from: string, to: string): { path: string; close(): void };
  /** @throws Fault 404 for what is not open for this node, 409 when it is sent already; what either end broke off with. */
  send(id: string, node_id: string | undefined, body: Readable): Promise<void>;
  /** @throws Fault 404, 409 */
  receive(id: string, node_id: string | undefined): Readable;
}

export function createLayerRelay(): LayerRelay {
  const crossings = new Map<string, Crossing>();
  const unknown = (id: string): Fault => notFound('compute.move-unknown', `There is no move ${id}.`);

  return {
    open(from, to) {
      const id = uuid();
      const pipe = new PassThrough();
      // whoever waits at the other end learns of it
      pipe.on('error', () => {});
      crossings.set(id, { from, to, pipe, sending: false, receiving: false });
      return {
        path: `/compute/agent/moves/${id}`,
        close() {
          crossings.delete(id);
          if (!pipe.readableEnded) pipe.destroy(new Error('the move has ended'));
        },
      };
    },
    async send(id, node_id, body) {
      const crossing = crossings.get(id);
      if (crossing === undefined || crossing.from !== node_id) throw unknown(id);
      if (crossing.sending) throw conflict('compute.move-busy', `Move ${id} has been sent already.`);
      crossing.sending = true;
      await pipeline(body, crossing.pipe);
    },
    receive(id, node_id) {
      const crossing = crossings.get(id);
      if (crossing === undefined || crossing.to !== node_id) throw unknown(id);
      if (crossing.receiving) throw conflict('compute.move-busy', `Move ${id} has been received already.`);
      crossing.receiving = true;
      return crossing.pipe;
    },
  };
}

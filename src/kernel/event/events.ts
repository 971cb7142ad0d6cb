import type { Log } from '../log/log.ts';

/** Something happened to a resource, named as OpenStack's notifications name it. */
export interface BusinessEvent<P = unknown> {
  /** `compute.instance.create.end` */
  type: string;
  project_id: string | null;
  resource_id: string;
  payload: P;
  request_id: string | null;
  /** ISO instant. */
  at: string;
}

export type EventListener = (event: BusinessEvent) => void | Promise<void>;

export interface Events {
  /** Never throws and never waits. Emit after the commit of what it tells. */
  emit<P>(event: BusinessEvent<P>): void;
  /** @param prefix `compute.instance.`: only types that begin so. @returns how to stop. */
  subscribe(listener: EventListener, prefix?: string): () => void;
  /** Resolves when every listener is done with what was emitted so far. */
  settled(): Promise<void>;
}

export function createEvents(options: { log: Log }): Events {
  const subscriptions = new Set<{ listener: EventListener; prefix: string }>();
  const running = new Set<Promise<void>>();
  const run = async (listener: EventListener, event: BusinessEvent): Promise<void> => {
    await Promise.resolve();
    try {
      await listener(event);
    } catch (error) {
      options.log.error({ err: error, type: event.type, resource_id: event.resource_id }, 'a listener of an event failed');
    }
  };
  return {
    emit(event) {
      for (const { listener, prefix } of subscriptions) {
        if (!event.type.startsWith(prefix)) continue;
        const delivery = run(listener, event);
        running.add(delivery);
        void delivery.then(() => running.delete(delivery));
      }
    },
    subscribe(listener, prefix = '') {
      const subscription = { listener, prefix };
      subscriptions.add(subscription);
      return () => subscriptions.delete(subscription);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

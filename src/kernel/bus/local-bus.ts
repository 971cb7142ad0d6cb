import type { Log } from '../log/log.ts';

export type Subscriber = (message: unknown) => void | Promise<void>;

/** Messages between the parts of a controller, by topic. Nothing is kept: who is not there misses it. */
export interface Bus {
  /** Returns at once; subscribers run afterwards, and their failures are theirs alone. */
  publish(topic: string, message: unknown): void;
  /** @returns how to stop. */
  subscribe(topic: string, subscriber: Subscriber): () => void;
  /** Resolves when everything published so far has been dealt with. */
  settled(): Promise<void>;
}

/** The bus inside one process. Each subscriber sees a topic's messages in order, and the object itself: don't change it. */
export function createLocalBus(options: { log: Log }): Bus {
  const topics = new Map<string, Set<Subscriber>>();
  const running = new Set<Promise<void>>();

  const deliver = async (topic: string, subscriber: Subscriber, message: unknown): Promise<void> => {
    await Promise.resolve();
    if (topics.get(topic)?.has(subscriber) !== true) return;
    try {
      await subscriber(message);
    } catch (error) {
      options.log.error({ err: error, topic }, 'a subscriber of the bus failed');
    }
  };

  return {
    publish(topic, message) {
      for (const subscriber of topics.get(topic) ?? []) {
        const delivery = deliver(topic, subscriber, message);
        running.add(delivery);
        void delivery.then(() => running.delete(delivery));
      }
    },
    subscribe(topic, subscriber) {
      // A wrapper of its own, so that the same function may subscribe twice.
      const own: Subscriber = (message) => subscriber(message);
      const subscribers = topics.get(topic) ?? new Set();
      topics.set(topic, subscribers.add(own));
      return () => {
        subscribers.delete(own);
        if (subscribers.size === 0 && topics.get(topic) === subscribers) topics.delete(topic);
      };
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

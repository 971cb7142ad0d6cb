/** Where the bytes are, by content. What a back end of any kind offers; rows (`blob-rows.ts`) say which of them exist. */
import type { Readable } from 'node:stream';

export interface ByteRange {
  /** Both included. */
  start: number;
  end: number;
}

export interface BlobStore {
  /** Gives a whole, durable local file its name and takes it away; twice does no harm. Faults: 413 storage full. */
  put(digest: string, path: string): Promise<void>;
  open(digest: string, range?: ByteRange): Readable;
  /** Nothing happens to one that is not there. */
  remove(digest: string): Promise<void>;
  /** Every blob last written before `olderThan`, in portions. */
  list(olderThan: Date): AsyncIterable<string>;
  /** Removes what a crash left half done. Only at start, when nobody writes. */
  clear(): Promise<void>;
}

/** What a source of data is told. */
export interface FetchOptions {
  /** Bytes. */
  limit: number;
  signal: AbortSignal;
  /** Called with the bytes so far. */
  onBytes(count: number): void;
}

export async function* counted(source: AsyncIterable<Buffer>, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  let count = 0;
  for await (const chunk of source) {
    count += chunk.length;
    onBytes(count);
    yield chunk;
  }
}
